#include "fault_vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"

/* --- what was written and not synced --- */

struct change { /* of one file, newest last */
	struct list link;
	sqlite3_int64 at, size_before;
	int old_len, len; /* len -1: a truncation to at */
	char *old, *new;
};

struct disk_file {
	struct list link;
	char *path;
	struct list changes;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t gate;
	enum fault fault;
	int countdown;
	bool has_struck, is_down;
	bool is_gate_closed;
	int gate_waiting;
	struct list files;
	bool durable[FAULT_MARKERS];
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .gate = PTHREAD_COND_INITIALIZER};

struct fault_file {
	sqlite3_file base;
	struct disk_file *disk; /* NULL: a temporary file */
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;

static void change_free(struct change *c)
{
	list_remove(&c->link);
	free(c->old);
	free(c->new);
	free(c);
}

static void changes_drop(struct disk_file *f)
{
	struct change *c;
	LIST_FOR_EACH (c, &f->changes, link)
		change_free(c);
}

static struct disk_file *disk_file(const char *path)
{
	struct disk_file *f;
	LIST_FOR_EACH (f, &disk.files, link)
		if (!strcmp(f->path, path))
			return f;
	f = NEW(struct disk_file);
	f->path = mem_strdup(path);
	list_init(&f->changes);
	list_append(&disk.files, &f->link);
	return f;
}

static void note(struct fault_file *f, const void *bytes, int len, sqlite3_int64 at)
{
	struct change *c = NEW(struct change);
	c->at = at;
	c->len = len;
	f->real->pMethods->xFileSize(f->real, &c->size_before);
	sqlite3_int64 end = len < 0 ? c->size_before : at + len;
	c->old_len = (int)MAX(0, MIN(end, c->size_before) - at);
	c->old = mem_alloc((size_t)c->old_len);
	if (c->old_len > 0)
		f->real->pMethods->xRead(f->real, c->old, c->old_len, at);
	c->new = mem_alloc((size_t)MAX(len, 0));
	if (len > 0)
		memcpy(c->new, bytes, (size_t)len);
	list_append(&f->disk->changes, &c->link);
}

static void mark_durable(const char *bytes, int len)
{
	const char *end = bytes + len;
	for (const char *v = bytes; (v = memchr(v, 'v', (size_t)(end - v))); v++) {
		int marker = 0, digits = 1;
		while (v + digits < end && digits < 8 && v[digits] >= '0' && v[digits] <= '9')
			marker = marker * 10 + v[digits++] - '0';
		if (digits > 1 && v + digits < end && v[digits] == 'v' && marker < FAULT_MARKERS)
			disk.durable[marker] = true;
	}
}

static void synced(struct disk_file *f)
{
	struct change *c;
	LIST_FOR_EACH (c, &f->changes, link) {
		if (c->len > 0)
			mark_durable(c->new, c->len);
		change_free(c);
	}
}

/* --- striking --- */

/* SQLITE_OK, or what this operation must return instead; the lock is held. */
static int strike(bool is_sync)
{
	if (disk.is_down)
		return SQLITE_IOERR;
	bool is_mine = is_sync ? disk.fault == FAULT_SYNC_EIO || disk.fault >= FAULT_CRASH
			       : disk.fault != FAULT_NONE && disk.fault != FAULT_SYNC_EIO;
	if (!is_mine)
		return SQLITE_OK;
	if (disk.fault == FAULT_FULL_FOREVER && disk.has_struck)
		return SQLITE_FULL;
	if (disk.has_struck || --disk.countdown > 0)
		return SQLITE_OK;
	disk.has_struck = true;
	switch (disk.fault) {
	case FAULT_FULL_ONCE:
	case FAULT_FULL_FOREVER:
		return SQLITE_FULL;
	case FAULT_WRITE_EIO:
		return SQLITE_IOERR_WRITE;
	case FAULT_SYNC_EIO:
		return SQLITE_IOERR_FSYNC;
	default:
		disk.is_down = true;
		return SQLITE_IOERR;
	}
}

static void gate_wait(void)
{
	disk.gate_waiting++;
	while (disk.is_gate_closed)
		pthread_cond_wait(&disk.gate, &disk.lock);
	disk.gate_waiting--;
}

/* --- the methods of a file --- */

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct fault_file *)file)->real;
}

static int file_close(sqlite3_file *file)
{
	int rc = real_of(file)->pMethods->xClose(real_of(file));
	free(real_of(file));
	return rc;
}

static int file_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 at)
{
	return real_of(file)->pMethods->xRead(real_of(file), bytes, len, at);
}

static int file_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	struct fault_file *f = (struct fault_file *)file;
	pthread_mutex_lock(&disk.lock);
	int rc = f->disk ? strike(false) : SQLITE_OK;
	if (rc == SQLITE_OK && f->disk)
		note(f, bytes, len, at);
	if (rc == SQLITE_OK)
		rc = f->real->pMethods->xWrite(f->real, bytes, len, at);
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct fault_file *f = (struct fault_file *)file;
	pthread_mutex_lock(&disk.lock);
	int rc = disk.is_down ? SQLITE_IOERR : SQLITE_OK;
	if (rc == SQLITE_OK && f->disk)
		note(f, NULL, -1, size);
	if (rc == SQLITE_OK)
		rc = f->real->pMethods->xTruncate(f->real, size);
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

static int file_sync(sqlite3_file *file, int flags)
{
	struct fault_file *f = (struct fault_file *)file;
	pthread_mutex_lock(&disk.lock);
	gate_wait();
	int rc = f->disk ? strike(true) : SQLITE_OK;
	if (rc == SQLITE_OK && f->disk)
		synced(f->disk); /* the disk is played: a real sync would only cost time */
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int file_lock(sqlite3_file *file, int lock)
{
	return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int file_unlock(sqlite3_file *file, int lock)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int file_check_lock(sqlite3_file *file, int *ret_is_reserved)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_is_reserved);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file)
{
	return 512; /* writes may be torn at any sector */
}

/* As SQLite's own VFS promises: without it a WAL is padded after its commit record, and a write
 * that fails in the padding would leave a record of what was refused. */
static int file_traits(sqlite3_file *file)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* Version 1: no shared memory, which a WAL in exclusive mode does without. */
static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
};

/* --- the VFS --- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	struct fault_file *f = (struct fault_file *)file;
	f->base.pMethods = NULL;
	f->real = mem_alloc((size_t)real_vfs->szOsFile);
	int rc = real_vfs->xOpen(real_vfs, path, f->real, flags, ret_flags);
	if (rc != SQLITE_OK) {
		free(f->real);
		return rc;
	}
	pthread_mutex_lock(&disk.lock);
	f->disk = path ? disk_file(path) : NULL;
	pthread_mutex_unlock(&disk.lock);
	f->base.pMethods = &file_methods;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int is_synced)
{
	pthread_mutex_lock(&disk.lock);
	int rc = disk.is_down ? SQLITE_IOERR_DELETE : SQLITE_OK;
	if (rc == SQLITE_OK)
		changes_drop(disk_file(path));
	pthread_mutex_unlock(&disk.lock);
	return rc == SQLITE_OK ? real_vfs->xDelete(real_vfs, path, 0) : rc;
}

void fault_register(void)
{
	static sqlite3_vfs vfs;
	if (real_vfs)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = FAULT_VFS;
	vfs.pNext = NULL;
	vfs.szOsFile = sizeof(struct fault_file);
	vfs.xOpen = vfs_open;
	vfs.xDelete = vfs_delete;
	list_init(&disk.files);
	int rc = sqlite3_vfs_register(&vfs, 0);
	ASSERT(rc == SQLITE_OK);
}

/* --- plans --- */

/* The files themselves stay known: some may be open. */
static void changes_forget(void)
{
	struct disk_file *f;
	LIST_FOR_EACH (f, &disk.files, link)
		changes_drop(f);
}

void fault_plan(enum fault fault, int n)
{
	pthread_mutex_lock(&disk.lock);
	changes_forget();
	memset(disk.durable, 0, sizeof(disk.durable));
	disk.fault = fault;
	disk.countdown = n;
	disk.has_struck = disk.is_down = false;
	pthread_mutex_unlock(&disk.lock);
}

bool fault_has_struck(void)
{
	pthread_mutex_lock(&disk.lock);
	bool has_struck = disk.has_struck;
	pthread_mutex_unlock(&disk.lock);
	return has_struck;
}

static void take_back(int fd, const struct change *c)
{
	ssize_t done = pwrite(fd, c->old, (size_t)c->old_len, c->at);
	ASSERT(done == c->old_len && ftruncate(fd, c->size_before) == 0);
}

static void redo(int fd, const struct change *c)
{
	if (c->len < 0) {
		ASSERT(ftruncate(fd, c->at) == 0);
		return;
	}
	ssize_t done = pwrite(fd, c->new, (size_t)c->len, c->at);
	ASSERT(done == c->len);
}

static void file_settle(struct disk_file *f, bool is_torn, unsigned *seed)
{
	int fd = open(f->path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	for (struct list *l = f->changes.prev; l != &f->changes; l = l->prev)
		take_back(fd, CONTAINER_OF(l, struct change, link));
	struct change *c;
	LIST_FOR_EACH (c, &f->changes, link)
		if (is_torn && rand_r(seed) % 2)
			redo(fd, c);
	close(fd);
}

void fault_settle(unsigned seed)
{
	pthread_mutex_lock(&disk.lock);
	struct disk_file *f;
	LIST_FOR_EACH (f, &disk.files, link)
		file_settle(f, disk.fault == FAULT_CRASH_TORN, &seed);
	pthread_mutex_unlock(&disk.lock);
	fault_plan(FAULT_NONE, 0);
}

bool fault_is_durable(int marker)
{
	pthread_mutex_lock(&disk.lock);
	bool is_durable = disk.durable[marker];
	pthread_mutex_unlock(&disk.lock);
	return is_durable;
}

void fault_gate(bool is_closed)
{
	pthread_mutex_lock(&disk.lock);
	disk.is_gate_closed = is_closed;
	pthread_cond_broadcast(&disk.gate);
	pthread_mutex_unlock(&disk.lock);
}

int fault_gate_waiting(void)
{
	pthread_mutex_lock(&disk.lock);
	int waiting = disk.gate_waiting;
	pthread_mutex_unlock(&disk.lock);
	return waiting;
}
