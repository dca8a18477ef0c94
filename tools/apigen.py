#!/usr/bin/env python3
"""apigen: compiles api/*.api, the Kubernetes API as data, to constant C tables and structs.

    apigen.py OUT_DIR COLUMNS.txt FILE.api...      writes api_ids.h, views.h and api_tables.c

A file describes one group-version; `#` starts a comment.  Its head:

    group apps v1                  group ("core" for the group without a name, "-" for none) and version
    package apps                   how other files name its types: `apps.Deployment`
    openapi io.k8s.api.apps.v1     prefix of the OpenAPI names of its types
    order 3                        place in discovery

A kind is served under a plural, `namespaced` or `cluster`; the indented lines are optional:

    kind Deployment deployments namespaced short=deploy categories=all
        verbs create get list ...                    when they are not the usual eight
        subresource scale autoscaling.Scale get patch update
        select status.phase ...                      fields a field selector may name
        column "Node Selector" string name wide      name, type, format, and `wide` for kubectl -o wide;
                                                     COLUMNS.txt says what it means
        columns default                              name and age, as of kinds that have no columns of their own
        update conditional                           an update must name the resourceVersion it rests on

`stored=core.Event` says that the store keeps it as another kind.  A kind with the verb list also has
a type named <Kind>List.  Names of scalars and of other types:

    string ResourceName            any string
    enum Protocol SCTP TCP UDP     one of these strings, and OpenAPI says so
    name ResourceList map[ResourceName]quantity
    name Verbs []string wrapped    protobuf wraps the list in a message of its own

A type has one line a field: JSON name, protobuf tag (0: not in protobuf), type, then what else is
known.  `inline T 2` puts the fields of T in place; protobuf nests them under tag 2.

    type DeploymentSpec
        replicas 1 *int32
        template 3 core.PodTemplateSpec required
        conditions 6 []DeploymentCondition list=map(type) patch=merge(type)

Types: string bool int32 int64 float64 bytes time micro_time duration quantity int_or_string raw uid,
schema_or_bool schema_or_array schema_or_strings, names, `*T` (may be absent), `[]T`, `map[K]T`.
Words after the type:

    required       absent is an error of validation; implies that the zero value is written
    omitempty      the zero value is left out although required
    always         the zero value is written although not required
    keepempty      an empty list says something and is kept, although omitted when absent
    omitzero       a struct or time that is zero is left out (they are written otherwise)
    = JSON         default
    list=atomic | list=set | list=map(k1,k2)
    atomic         a map that server-side apply replaces as a whole; after `type X`: so is the struct
    granular       not atomic although its type is; of a map: OpenAPI says so
    patch=merge(k) | patch=merge | patch=replace | patch=retainKeys | patch=merge,retainKeys(k)
    off=Gate       belongs to a feature that this release leaves off
    immutable
"""
import os
import re
import shlex
import sys

FIELDS_MAX = 64  # API_FIELDS_MAX of schema.h
VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
SCALARS = {  # .api name: (form, C type of a view, Go type)
    'string': ('STRING', 'struct str', 'string'),
    'uid': ('STRING', 'struct str', 'types.UID'),
    'bool': ('BOOL', 'bool', 'bool'),
    'int32': ('INT32', 'int32_t', 'int32'),
    'int64': ('INT64', 'int64_t', 'int64'),
    'float64': ('DOUBLE', 'double', 'float64'),
    'bytes': ('BYTES', 'struct str', '[]uint8'),
    'time': ('TIME', 'int64_t', 'v1.Time'),
    'micro_time': ('MICRO_TIME', 'int64_t', 'v1.MicroTime'),
    'duration': ('DURATION', 'struct str', 'v1.Duration'),
    'quantity': ('QUANTITY', 'struct str', 'resource.Quantity'),
    'int_or_string': ('INT_OR_STRING', 'struct int_or_string', 'intstr.IntOrString'),
    'raw': ('RAW', 'const struct json *', 'runtime.RawExtension'),
    'schema_or_bool': ('SCHEMA_OR_BOOL', 'const struct json *', 'v1.JSONSchemaPropsOrBool'),
    'schema_or_array': ('SCHEMA_OR_ARRAY', 'const struct json *', 'v1.JSONSchemaPropsOrArray'),
    'schema_or_strings': ('SCHEMA_OR_STRINGS', 'const struct json *',
                          'v1.JSONSchemaPropsOrStringArray'),
}
FORMATS = {'INT32': 'int32', 'INT64': 'int64', 'DOUBLE': 'double', 'BYTES': 'byte',
           'TIME': 'date-time', 'MICRO_TIME': 'date-time', 'INT_OR_STRING': 'int-or-string'}
KEYWORDS = set('''auto bool break case char const continue default do double else enum extern float for goto if
    inline int linux long register restrict return short signed sizeof static struct switch typedef
    union unix unsigned void volatile while'''.split())


def fail(where, text):
    sys.exit('%s: %s' % (where, text))


# C names that other layers have given away; types of that name get their package's prefix.
TAKEN_BY_OTHER_LAYERS = {'http_header'}


def snake(name):
    """DeploymentSpec -> deployment_spec, clusterIPs -> cluster_ips"""
    name = re.sub(r'([A-Z]{2,})s(?=[A-Z]|$)', lambda m: m[1].capitalize() + 's', name)
    name = re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', name)
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    return name.replace('-', '_').replace('$', '').lower()


class Field:
    """One line of a type, resolved: form, shape, C type."""
    name = ''
    tag = 0
    inline = has_enum = False
    default = None
    list_type = 'NONE'
    list_keys = merge_key = enum = go = ''
    type = None
    c = ''

    def __init__(self):
        self.flags = set()


class Type:
    def __init__(self, pkg, name, words, where):
        self.pkg, self.name, self.where = pkg, name, where
        self.lines = []
        self.fields = None
        self.atomic = 'atomic' in words
        self.union = next((w[6:] for w in words if w.startswith('union=')), '')
        self.kind = None
        self.c = ''
        self.index = -1

    @property
    def key(self):
        return self.pkg.name + '.' + self.name


class Kind:
    def __init__(self, pkg, words, where):
        self.pkg, self.where = pkg, where
        if len(words) < 3:
            fail(where, "a kind is written 'kind Name plural namespaced', not '%s'" % ' '.join(words))
        self.name, self.plural, scope = words[:3]
        if scope not in ('namespaced', 'cluster'):
            fail(where, "scope of %s is '%s': write namespaced or cluster" % (self.name, scope))
        self.namespaced = scope == 'namespaced'
        opts = dict(w.split('=', 1) for w in words[3:])
        self.short = opts.get('short', '')
        self.categories = opts.get('categories', '')
        self.stored = opts.get('stored')
        self.verbs, self.subresources, self.columns, self.select = VERBS, [], [], []
        self.has_default_columns = self.needs_revision = False

    def line(self, words, where):
        what, rest = words[0], words[1:]
        if what in ('subresource', 'column') and len(rest) < 2:
            fail(where, "a %s has a name and a type" % what)
        if what == 'verbs':
            self.verbs = rest
        elif what == 'subresource':
            self.subresources.append((rest[0], rest[1], rest[2:]))
        elif what == 'columns' and rest == ['default']:
            self.columns, self.has_default_columns = [('Name', 'string', 'name', 0), ('Created At', 'date', '', 0)], True
        elif what == 'update' and rest == ['conditional']:
            self.needs_revision = True
        elif what == 'select':
            self.select += rest
        elif what == 'column':
            wide = 'wide' in rest[2:]
            fmt = [w for w in rest[2:] if w != 'wide']
            self.columns.append((rest[0], rest[1], fmt[0] if fmt else '', 1 if wide else 0))
        else:
            fail(where, "'%s' is no line of a kind" % what)


class Package:
    def __init__(self, path):
        self.path = path
        self.name = self.openapi = self.group = self.version = ''
        self.order = 0
        self.kinds, self.types, self.names = [], {}, {}


def read(path):
    pkg = Package(path)
    block = None
    for number, line in enumerate(open(path, encoding='utf-8'), 1):
        where = '%s:%d' % (path, number)
        text = re.sub(r'(^|\s)#.*', '', line).rstrip()
        if not text:
            continue
        if line[0] in '\t ':
            if isinstance(block, Type):
                block.lines.append((text.strip(), where))
            elif isinstance(block, Kind):
                block.line(shlex.split(text), where)
            else:
                fail(where, 'an indented line belongs to a kind or a type')
            continue
        words = shlex.split(text)
        what, rest = words[0], words[1:]
        block = None
        if what == 'group':
            pkg.group = {'core': '', '-': None}.get(rest[0], rest[0])
            pkg.version = rest[1]
        elif what == 'package':
            pkg.name = rest[0]
        elif what == 'openapi':
            pkg.openapi = rest[0]
        elif what == 'order':
            pkg.order = int(rest[0])
        elif what == 'kind':
            block = Kind(pkg, rest, where)
            pkg.kinds.append(block)
        elif what == 'type':
            block = Type(pkg, rest[0], rest[1:], where)
            if rest[0] in pkg.types:
                fail(where, 'type %s is there already' % rest[0])
            pkg.types[rest[0]] = block
        elif what in ('string', 'enum', 'name'):
            pkg.names[rest[0]] = (what, rest[1:])
        else:
            fail(where, "'%s' is no line of a .api file" % what)
    return pkg


class Model:
    def __init__(self, packages, columns):
        self.columns = columns
        self.packages = sorted(packages, key=lambda p: p.order)
        self.by_name = {p.name: p for p in self.packages}
        self.kinds = [k for p in self.packages for k in sorted(p.kinds, key=lambda k: k.plural)]
        self.link_kinds()
        self.types = [t for p in self.packages for t in p.types.values()]
        for i, t in enumerate(self.types):
            t.index = i
        self.name_types()
        for t in self.types:
            self.resolve(t)

    def column_text(self, kind, name):
        text = self.columns.get('%s.%s' % (kind.name, name)) or self.columns.get(name)
        return text or fail(kind.where, "column '%s' has no sentence in api/columns.txt" % name)

    def link_kinds(self):
        for k in self.kinds:
            k.type = k.pkg.types.get(k.name) or fail(k.where, 'there is no type %s' % k.name)
            k.type.kind = k.type.kind or k
            k.list_type = None
            if 'list' in k.verbs:
                k.list_type = Type(k.pkg, k.name + 'List', [], k.where)
                k.list_type.lines = [('inline meta.TypeMeta', k.where),
                                     ('metadata 1 meta.ListMeta', k.where),
                                     ('items 2 []%s required' % k.name, k.where)]
                k.pkg.types[k.list_type.name] = k.list_type
        self.stored = []
        for k in self.kinds:
            k.is_storage = k.stored is None
            k.stored_id = 0
            if k.is_storage and 'create' in k.verbs and 'get' in k.verbs:
                self.stored.append(k)
                k.stored_id = len(self.stored)
        for k in self.kinds:
            if not k.is_storage:
                pkg, name = k.stored.split('.')
                k.stored_id = next(s.stored_id for s in self.stored
                                   if (s.pkg.name, s.name) == (pkg, name))

    def name_types(self):
        """Plain names for stored kinds, core and meta; others are prefixed where names meet."""
        taken = {}

        def rank(t):
            stored = t.kind and t.kind.is_storage and t.kind.stored_id
            return (0 if stored else 1, 0 if t.pkg.name in ('core', 'meta') else 1, t.index)
        groups = {}
        for t in self.types:
            groups.setdefault(snake(t.name), []).append(t)
        for name, members in groups.items():
            members.sort(key=rank)
            plain = len(members) == 1 or rank(members[0])[:2] != (1, 1)
            same_group = len({t.pkg.group for t in members}) == 1
            for i, t in enumerate(members):
                t.c = name if i == 0 and (plain or same_group) else '%s_%s' % (t.pkg.name, name)
                if same_group and i > 0:
                    t.c = '%s_%s_%s' % (t.pkg.name.split('_')[0], t.pkg.version, name)
                if t.c in TAKEN_BY_OTHER_LAYERS:
                    t.c = '%s_%s' % (t.pkg.name, name)
                if t.c in taken:
                    fail(t.where, 'two types want the C name %s' % t.c)
                taken[t.c] = t

    def find(self, pkg, name, where):
        if '.' in name:
            alias, name = name.split('.')
            pkg = self.by_name.get(alias) or fail(where, "there is no package '%s'" % alias)
        return pkg, name

    def resolve_type(self, f, pkg, text, where):
        """Sets form, shape, type, C type and Go type of f from `*[]core.Pod` and the like."""
        if text.startswith('*'):
            f.flags.add('POINTER')
            return self.resolve_type(f, pkg, text[1:], where)
        m = re.match(r'\[\](.*)|map\[([\w.]+)\](.*)', text)
        if m:
            one = Field()
            self.resolve_type(one, pkg, m[1] or m[3], where)
            f.form, f.type, f.enum, f.has_enum = one.form, one.type, one.enum, one.has_enum
            f.element_go = one.go
            if m[1]:
                if one.shape != 'ONE':
                    fail(where, 'lists of lists are unknown here')
                f.shape, f.go = 'LIST', '[]' + one.go
                f.c = self.array_of(one)
            else:
                key = Field()
                self.resolve_type(key, pkg, m[2], where)
                f.shape = 'MAP_OF_LISTS' if one.shape == 'LIST' else 'MAP'
                f.go = 'map[%s]%s' % (key.go, one.go)
                f.c = 'struct str_array_map' if one.shape == 'LIST' else self.map_of(one)
            return
        f.shape, f.element_go = 'ONE', ''
        if text in SCALARS:
            f.form, f.c, f.go = SCALARS[text]
            return
        home, name = self.find(pkg, text, where)
        go = home.version + '.' + name
        if name in home.names:
            what, words = home.names[name]
            if what == 'name':
                self.resolve_type(f, home, words[0], where)
                if 'wrapped' in words:
                    f.flags.add('WRAPPED')
            else:
                f.form, f.c = 'STRING', 'struct str'
                f.has_enum = what == 'enum'
                f.enum = ','.join(words) if f.has_enum else ''
            f.go = go
        elif name in home.types:
            f.form, f.type, f.go = 'STRUCT', home.types[name], go
            f.c = 'struct ' + f.type.c
        else:
            fail(where, "there is no type '%s'" % text)

    @staticmethod
    def array_of(one):
        if one.form == 'STRUCT':
            return 'struct %s_array' % one.type.c
        return {'struct str': 'struct str_array', 'int32_t': 'struct int32_array',
                'int64_t': 'struct int64_array', 'const struct json *': 'struct json_array'}[one.c]

    @staticmethod
    def map_of(one):
        if one.form == 'STRUCT':
            return 'struct %s_map' % one.type.c
        return {'struct str': 'struct str_map', 'int64_t': 'struct int64_map',
                'const struct json *': 'struct json_map'}[one.c]

    def field(self, t, text, where):
        f = Field()
        head, _, default = text.partition(' = ')
        if default:
            f.default, tail = self.cut_json(default)
            head += ' ' + tail
        words = head.split()
        if len(words) < 3 or not words[1].isdigit():
            fail(where, "a field is written 'name tag type words', not '%s'" % text)
        f.name, f.tag, spec, words = words[0], int(words[1]), words[2], words[3:]
        self.resolve_type(f, t.pkg, spec, where)
        loose = f.shape == 'ONE' and 'POINTER' not in f.flags and f.form in (
            'STRUCT', 'TIME', 'MICRO_TIME', 'DURATION', 'QUANTITY', 'INT_OR_STRING', 'RAW',
            'SCHEMA_OR_BOOL', 'SCHEMA_OR_ARRAY', 'SCHEMA_OR_STRINGS')
        if 'required' in words:
            f.flags.add('REQUIRED')
        if loose:
            omit = 'omitzero' in words
        else:
            omit = 'omitempty' in words or not ('required' in words or 'always' in words)
        if omit:
            f.flags.add('OMIT_EMPTY')
        if f.default is not None:
            f.flags.add('HAS_DEFAULT')
        if f.form == 'STRUCT' and f.shape == 'ONE' and f.type.atomic and 'granular' not in words:
            f.flags.add('MAP_ATOMIC')
        for w in words:
            m = re.match(r'(list|patch|off)=([\w,]+)(?:\(([^)]*)\))?$', w)
            if w in ('required', 'omitempty', 'always', 'omitzero'):
                continue
            if w == 'granular' and f.shape == 'ONE':
                continue
            if w == 'granular':
                f.flags.add('MAP_GRANULAR')
            elif w == 'atomic':
                f.flags.add('MAP_ATOMIC')
            elif w == 'keepempty':
                f.flags.add('KEEP_EMPTY')
            elif w == 'immutable':
                f.flags.add('IMMUTABLE')
            elif not m:
                fail(where, "'%s' says nothing about a field" % w)
            elif m[1] == 'list':
                f.list_type, f.list_keys = m[2].upper(), m[3] or ''
            elif m[1] == 'off':
                f.flags.add('GATED_OFF')
            else:
                for p in m[2].split(','):
                    f.flags.add({'merge': 'PATCH_MERGE', 'replace': 'PATCH_REPLACE',
                                 'retainKeys': 'PATCH_RETAIN_KEYS'}[p])
                f.merge_key = m[3] or ''
        has_absent = f.c in ('struct str', 'const struct json *') or f.form in ('TIME', 'MICRO_TIME')
        if 'POINTER' in f.flags and not has_absent:
            f.c = 'const %s *' % f.c
        return f

    @staticmethod
    def cut_json(text):
        m = re.match(r'"(?:[^"\\]|\\.)*"|\S+', text)
        return m[0], text[m.end():]

    def resolve(self, t):
        if t.fields is not None:
            return
        t.fields = []
        for text, where in t.lines:
            if not text.startswith('inline '):
                t.fields.append(self.field(t, text, where))
                continue
            words = text.split()
            pkg, name = self.find(t.pkg, words[1], where)
            inner = pkg.types.get(name) or fail(where, "there is no type '%s'" % words[1])
            self.resolve(inner)
            if len(words) > 2:
                mark = Field()
                mark.inline, mark.tag, mark.type = True, int(words[2]), inner
                mark.form, mark.shape, mark.go = 'STRUCT', 'ONE', pkg.version + '.' + name
                mark.element_go = ''
                mark.flags = {'INLINE'}
                t.fields.append(mark)
            t.fields += inner.fields
        if len(t.fields) > FIELDS_MAX:
            fail(t.where, 'type %s has more than %d fields: raise API_FIELDS_MAX' % (t.name, FIELDS_MAX))


def member(name):
    name = snake(name)
    return name + '_' if name in KEYWORDS else name


def upper(pkg, name=''):
    """core, Pod -> CORE_V1_POD"""
    head = pkg.name.upper() if pkg.name.endswith('_' + pkg.version) else (
        pkg.name + '_' + pkg.version).upper()
    return head + ('_' + snake(name).upper() if name else '')


HEAD = '/* Generated by tools/apigen.py from api/; do not edit. */\n'


def write_ids(m, out):
    out.append(HEAD + '#ifndef SKEG_API_IDS_H\n#define SKEG_API_IDS_H\n')
    out.append('/* Kinds the store keeps; 0 for those that are never stored. */\nenum kind_id {\n\tKIND_NONE = 0,')
    out += ['\tKIND_%s = %d,' % (snake(k.name).upper(), k.stored_id) for k in m.stored]
    out.append('\tKIND_COUNT = %d,\n};\n' % (len(m.stored) + 1))
    out.append('/* Kinds as a group-version serves them: indexes of api_builtin()->kinds. */\nenum served_id {')
    out += ['\tSERVED_%s = %d,' % (upper(k.pkg, k.name), i) for i, k in enumerate(m.kinds)]
    out.append('\tSERVED_COUNT = %d,\n};\n' % len(m.kinds))
    out.append('/* Indexes of api_builtin()->types. */\nenum type_id {')
    out += ['\tTYPE_%s = %d,' % (upper(t.pkg, t.name), t.index) for t in m.types]
    out.append('\tTYPE_COUNT = %d,\n};\n\n#endif' % len(m.types))


def write_views(m, out):
    out.append(HEAD + '#ifndef SKEG_API_VIEWS_H\n#define SKEG_API_VIEWS_H\n\n#include "api/view.h"\n')
    for t in m.types:
        out.append('struct %s;\nstruct %s_array {\n\tconst struct %s *at;\n\tuint32_t count;\n};' % ((t.c,) * 3))
    mapped = sorted({f.type.c for t in m.types for f in t.fields
                     if f.shape == 'MAP' and f.form == 'STRUCT'})
    for c in mapped:
        out.append('struct %s_map {\n\tconst struct %s_pair *at;\n\tuint32_t count;\n};' % (c, c))
    done = set()

    def emit(t):
        if t.c in done:
            return
        done.add(t.c)
        for f in t.fields:
            if f.c == 'struct ' + (f.type.c if f.type else ''):
                emit(f.type)
        out.append('\n/* %s.%s */\nstruct %s {' % (t.pkg.openapi, t.name, t.c))
        for f in t.fields:
            if not f.inline:
                out.append('\t%s%s%s;' % (f.c, '' if f.c.endswith('*') else ' ', member(f.name)))
        out.append('};')
        if t.c in mapped:
            out.append('\nstruct %s_pair {\n\tstruct str key;\n\tstruct %s value;\n};' % (t.c, t.c))
    for t in m.types:
        emit(t)
    out.append('\n#endif')


def c_str(text):
    return 'STR_INIT("%s")' % text.replace('\\', '\\\\').replace('"', '\\"') if text else '{}'


def verb_bits(verbs, where=''):
    names = {'deletecollection': 'DELETE_COLLECTION'}
    for v in verbs:
        if v not in VERBS:
            fail(where, "'%s' is no verb" % v)
    return ' | '.join('VERB_' + names.get(v, v.upper()) for v in verbs) or '0'


def write_fields(m, out):
    out.append('static const struct api_field fields[] = {')
    m.first = {}
    n = 0
    for t in m.types:
        m.first[t] = n
        n += len(t.fields)
        for f in t.fields:
            flags = ' | '.join('FIELD_' + x for x in sorted(f.flags)) or '0'
            row = ['.name = %s' % c_str(f.name), '.tag = %d' % f.tag, '.form = FORM_' + f.form,
                   '.shape = SHAPE_' + f.shape, '.flags = ' + flags,
                   '.type = %d' % (f.type.index if f.type else -1),
                   '.list_type = LIST_' + f.list_type, '.go_type = ' + c_str(f.go)]
            for key, value in (('merge_key', f.merge_key), ('list_keys', f.list_keys),
                               ('format', FORMATS.get(f.form, '')), ('default_json', f.default),
                               ('element_go_type', f.element_go)):
                if value:
                    row.append('.%s = %s' % (key, c_str(value)))
            if f.has_enum:
                row.append('.enum_values = ' + c_str(f.enum))
            if not f.inline:
                row.append('.view_offset = offsetof(struct %s, %s)' % (t.c, member(f.name)))
            out.append('\t{%s},' % ', '.join(row))
    out.append('};\n')


def by_tag(t):
    """Rows of the type's own message in the order of their tags; what follows an inlined type's mark
    belongs to the nested message."""
    rows, i = [], 0
    while i < len(t.fields):
        if t.fields[i].tag:
            rows.append(i)
        i += 1 + (len(t.fields[i].type.fields) if t.fields[i].inline else 0)
    return sorted(rows, key=lambda row: t.fields[row].tag)


def write_types(m, out):
    tags = []
    for t in m.types:
        t.first_tag, rows = len(tags), by_tag(t)
        t.tag_count = len(rows)
        tags += rows
    out.append('static const uint8_t tags[] = {\n\t%s,\n};\n' % ', '.join(str(x) for x in tags))
    out.append('static const struct api_type types[] = {')
    for t in m.types:
        package = t.pkg.name.split('_')[0] + '/' + t.pkg.version
        disc, _, members = t.union.partition('(')
        row = ['.name = ' + c_str(t.name), '.package = ' + c_str(package),
               '.openapi = ' + c_str(t.pkg.openapi + '.' + t.name),
               '.fields = fields + %d' % m.first[t], '.field_count = %d' % len(t.fields),
               '.view_size = sizeof(struct %s)' % t.c,
               '.by_tag = tags + %d' % t.first_tag, '.tag_count = %d' % t.tag_count]
        if t.atomic:
            row.append('.is_atomic = true')
        if t.union:
            row += ['.union_by = ' + c_str(disc), '.union_members = ' + c_str(members[:-1])]
        out.append('\t{%s},' % ', '.join(row))
    out.append('};\n')


def write_kinds(m, out):
    subs, cols = [], []
    for k in m.kinds:
        k.first_sub, k.first_col = len(subs), len(cols)
        for name, ref, verbs in k.subresources:
            pkg, kind = m.find(k.pkg, ref, k.where)
            if kind not in pkg.types:
                fail(k.where, "there is no type '%s'" % ref)
            subs.append('\t{.name = %s, .group = %s, .version = %s, .kind = %s, .verbs = %s, .type = %d},' % (
                c_str(name), c_str(pkg.group), c_str(pkg.version), c_str(kind),
                verb_bits(verbs, k.where), pkg.types[kind].index))
        cols += ['\t{.name = %s, .type = %s, .format = %s, .description = %s, .priority = %d},' % (
            c_str(n), c_str(t), c_str(f), c_str(m.column_text(k, n)), p) for n, t, f, p in k.columns]
    out += ['static const struct api_subresource subresources[] = {'] + subs + ['};\n']
    out += ['static const struct api_column columns[] = {'] + cols + ['};\n']
    out.append('static const struct api_kind kinds[] = {')
    for i, k in enumerate(m.kinds):
        api_version = (k.pkg.group + '/' if k.pkg.group else '') + k.pkg.version
        row = ['.served_id = %d' % i, '.stored_id = %d' % k.stored_id,
               '.group = ' + (c_str(k.pkg.group) if k.pkg.group else 'STR_INIT("")'),
               '.version = ' + c_str(k.pkg.version), '.kind = ' + c_str(k.name),
               '.plural = ' + c_str(k.plural), '.singular = ' + c_str(k.name.lower()),
               '.list_kind = ' + c_str(k.name + 'List'), '.api_version = ' + c_str(api_version),
               '.is_namespaced = %s' % str(k.namespaced).lower(),
               '.has_default_columns = %s' % str(k.has_default_columns).lower(),
               '.needs_revision = %s' % str(k.needs_revision).lower(),
               '.is_storage_version = %s' % str(k.is_storage).lower(),
               '.verbs = ' + verb_bits(k.verbs, k.where), '.type = %d' % k.type.index,
               '.list_type = %d' % (k.list_type.index if k.list_type else -1),
               '.short_names = ' + c_str(k.short), '.categories = ' + c_str(k.categories),
               '.selectable_fields = ' + c_str(','.join(k.select)),
               '.subresources = subresources + %d' % k.first_sub,
               '.subresource_count = %d' % len(k.subresources),
               '.columns = columns + %d' % k.first_col, '.column_count = %d' % len(k.columns)]
        out.append('\t{%s},' % ', '.join(row))
    out.append('};\n')


def fnv(text):
    h = 0xcbf29ce484222325
    for b in text.encode():
        h = (h ^ b) * 0x100000001b3 % 2**64
    return h


def hash_of(a, b, c):
    """As api_index_hash() of schema.c."""
    return (fnv(a) * 31 + fnv(b) * 7 + fnv(c)) % 2**64


def write_index(m, out, name, keys):
    size = 1
    while size < 2 * len(keys):
        size *= 2
    slots = [0] * size
    for i, key in keys:
        at = hash_of(*key) % size
        while slots[at]:
            at = (at + 1) % size
        slots[at] = i + 1
    out.append('static const uint16_t %s[%d] = {\n\t%s,\n};\n' % (
        name, size, ', '.join(str(s) for s in slots)))
    return size


def write_tables(m, out):
    out.append(HEAD + '#include <stddef.h>\n\n#include "api/schema.h"\n#include "api/views.h"\n')
    write_fields(m, out)
    write_types(m, out)
    write_kinds(m, out)
    kinds = list(enumerate(m.kinds))
    by_resource = write_index(m, out, 'by_resource',
                              [(i, (k.pkg.group, k.pkg.version, k.plural)) for i, k in kinds])
    by_kind = write_index(m, out, 'by_kind',
                          [(i, (k.pkg.group, k.pkg.version, k.name)) for i, k in kinds])
    out.append('static const uint16_t by_stored[] = {\n\t0, %s,\n};\n' % ', '.join(
        str(m.kinds.index(k) + 1) for k in m.stored))
    out.append('static const struct api_index indexes = {\n\t.by_resource = by_resource,\n'
               '\t.resource_slots = %d,\n\t.by_kind = by_kind,\n\t.kind_slots = %d,\n'
               '\t.by_stored = by_stored,\n};\n' % (by_resource, by_kind))
    out.append('static const struct api builtin = {\n\t.kinds = kinds,\n\t.kind_count = %d,\n'
               '\t.types = types,\n\t.type_count = %d,\n\t.stored_count = %d,\n\t.index = &indexes,\n};\n' % (
                   len(m.kinds), len(m.types), len(m.stored) + 1))
    out.append('const struct api *api_builtin(void)\n{\n\treturn &builtin;\n}')


def read_columns(path):
    """`Name: sentence` or `Kind.Name: sentence` a line."""
    texts = {}
    with open(path, encoding='utf-8') as f:
        for line in f:
            key, _, text = line.partition(':')
            if text and not line.startswith('#'):
                texts[key.strip().replace('"', '')] = text.strip()
    return texts


def main():
    m = Model([read(path) for path in sys.argv[3:]], read_columns(sys.argv[2]))
    for name, write in (('views.h', write_views), ('api_ids.h', write_ids),
                        ('api_tables.c', write_tables)):
        out = []
        write(m, out)
        with open(os.path.join(sys.argv[1], name), 'w', encoding='utf-8') as f:
            f.write('\n'.join(out) + '\n')


main()
