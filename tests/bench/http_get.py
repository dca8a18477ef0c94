#!/usr/bin/env python3
"""GET of 1 KiB over HTTP/2 with TLS: our server beside nghttpd, server CPU a request.

    ninja -C build tests/bench/http_server && tests/bench/http_get.py [build folder] [requests]

Needs h2load and nghttpd (nghttp2-client, nghttp2-server) and openssl.  CPU is utime + stime of
/proc/PID/stat around the run, so it counts the server only; its unit is 10 ms, hence the many requests."""
import os, re, signal, socket, subprocess, sys, tempfile, time

BUILD = sys.argv[1] if len(sys.argv) > 1 else 'build'
REQUESTS = int(sys.argv[2]) if len(sys.argv) > 2 else 200000
ROUNDS = 3


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def cpu_s(pid):
    fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def pss_kib(pid):
    return int(re.search(r'^Pss:\s+(\d+)', open(f'/proc/{pid}/smaps_rollup').read(), re.M).group(1))


def wait_port(port):
    for _ in range(100):
        with socket.socket() as s:
            if s.connect_ex(('127.0.0.1', port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f'nothing listens on port {port}')


def measure(pid, url):
    before = cpu_s(pid)
    out = subprocess.run(['h2load', '-n', str(REQUESTS), '-c', '64', '-m', '1', url],
                         capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r'([\d.]+) req/s', out).group(1))
    done = int(re.search(r'(\d+) succeeded', out).group(1))
    if done != REQUESTS:
        sys.exit(f'{url}: {done} of {REQUESTS} succeeded')
    return (cpu_s(pid) - before) * 1e6 / REQUESTS, rate, pss_kib(pid)


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                        '-keyout', path('key'), '-out', path('cert'), '-subj', '/CN=localhost', '-days', '2'],
                       check=True, capture_output=True)
        with open(path('1024'), 'w') as f:
            f.write('x' * 1024)
        ours, theirs = free_port(), free_port()
        rows = {
            'skeg': (ours, [f'{BUILD}/tests/bench/http_server', str(ours), path('cert'), path('key')]),
            'nghttpd': (theirs, ['nghttpd', '-d', folder, str(theirs), path('key'), path('cert')]),
        }
        children = {name: subprocess.Popen(argv, stdout=subprocess.DEVNULL) for name, (_, argv) in rows.items()}
        try:
            for port, _ in rows.values():
                wait_port(port)
            print('| server | CPU µs a request | requests a second | PSS after, KiB |')
            print('| --- | ---: | ---: | ---: |')
            for _ in range(ROUNDS):
                for name, (port, _) in rows.items():
                    cpu, rate, pss = measure(children[name].pid, f'https://127.0.0.1:{port}/1024')
                    print(f'| {name} | {cpu:.1f} | {rate:.0f} | {pss} |')
        finally:
            for child in children.values():
                child.send_signal(signal.SIGTERM)
                child.wait()


main()
