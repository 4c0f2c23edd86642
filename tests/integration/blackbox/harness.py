# SPDX-License-Identifier: BSD-3-Clause
"""
Shared by the black-box tests: a host in namespaces, with understudyd, QEMU and clients.

main() runs a test file in its own namespaces (network, processes, mounts; /run is empty).
Everything that a test starts ends with the test, also if the test is killed. There is no guest:
QEMU is stopped and its memory is empty. Tests wait for events or conditions, never for a time; only
a failure reaches the limit of a wait.
"""
import ctypes
import json
import os
import pathlib
import queue
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

LIMIT_SEC = 15
RUN = pathlib.Path('/run/blackbox')
UNDERSTUDYD = UNDERSTUDY = None  # set by main()


class Failure(AssertionError):
    pass


def check(condition, *words):
    if not condition:
        raise Failure(' '.join(str(word) for word in words))


def equal(found, wanted, what=''):
    check(found == wanted, f'{what}\n  found:  {found!r}\n  wanted: {wanted!r}')


def until(condition, what, limit_sec=LIMIT_SEC):
    """Evaluates @condition until it is true, and returns its value."""
    end = time.monotonic() + limit_sec
    while not (result := condition()):
        check(time.monotonic() < end, 'waited in vain for:', what)
        time.sleep(0.01)
    return result


def ip(*words):
    subprocess.run(['ip', *words], check=True)


def tap(name, bridge=None, mtu=1500):
    ip('tuntap', 'add', name, 'mode', 'tap')
    ip('link', 'set', name, 'mtu', str(mtu), 'up', *(['master', bridge] if bridge else []))


def bridge(name):
    # With snooping off and a fixed address, only the tests and the daemon change the table.
    ip('link', 'add', name, 'address', '02:00:00:00:00:01', 'type', 'bridge', 'mcast_snooping', '0')
    ip('link', 'set', name, 'up')


def fdb(mac=None):
    """Static entries of all bridges, as (mac, port, flags)."""
    table = json.loads(subprocess.run(['bridge', '-j', 'fdb', 'show'], check=True,
                                      capture_output=True).stdout)
    return sorted((e['mac'], e['ifname'], *e.get('flags', []), e.get('state', ''))
                  for e in table if e.get('state') == 'static' and mac in (None, e['mac']))


def send_all(sock, data):
    """Returns False if the peer closed the connection before it got everything."""
    try:
        sock.sendall(data)
        return True
    except (BrokenPipeError, ConnectionResetError):
        return False


def is_closed(sock):
    """Waits until the peer closes the connection; False: it did not within the limit."""
    sock.settimeout(LIMIT_SEC)
    try:
        while sock.recv(65536):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


# ---- Processes ----

def spawn(argv, **options):
    return subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, **options)


def end(process, how=signal.SIGKILL):
    if process and process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
    return process.wait(LIMIT_SEC) if process else None


class Daemon:
    """An understudyd with its own socket, state directory and log."""

    def __init__(self, name='d', arguments=(), prefix=(), **environment):
        self.dir = RUN / name
        self.dir.mkdir()
        self.socket = self.dir / 'control'
        self.host = f'unix:{self.socket}'
        self.state = self.dir / 'state.json'
        self.environment = environment
        self.prefix, self.arguments = list(prefix), arguments
        self.address = ('--migration-address', '127.0.0.1')
        self.process = self.notices = None
        self.start()

    def start(self):
        path = str(self.dir / 'notify')
        pathlib.Path(path).unlink(missing_ok=True)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(path)
        # Read all notices, as a service manager does: a full socket would block the daemon.
        self.notices = queue.Queue()
        threading.Thread(target=self.take_notices, args=[notify], daemon=True).start()
        with open(self.dir / 'log', 'a') as log:
            self.process = spawn([*self.prefix, UNDERSTUDYD, '--socket', self.socket,
                                  '--state-dir', self.dir, *self.address, *self.arguments],
                                 stderr=log,
                                 env={**os.environ, 'NOTIFY_SOCKET': path, **self.environment})
        self.await_notice('READY=1')

    def take_notices(self, notify):
        while True:
            for line in notify.recv(4096).decode().split('\n'):
                self.notices.put(line)

    def await_notice(self, wanted):
        while self.notices.get(timeout=LIMIT_SEC) != wanted:
            pass

    def stop(self, how=signal.SIGTERM):
        return end(self.process, how)

    def restart(self, how=signal.SIGTERM):
        code = self.stop(how)
        self.start()
        return code

    def log(self):
        return (self.dir / 'log').read_text()

    def await_log(self, words, after=0):
        """@after: the length of the log that is not searched."""
        return until(lambda: words in self.log()[after:], f'"{words}" in the log')

    def cli(self, *words, uid=None):
        return cli('-H', self.host, *words, uid=uid)

    def do(self, *words):
        result = self.cli(*words)
        check(result.returncode == 0, words, 'failed:', result.stderr)
        return result.stdout

    def pairs(self):
        return {p['name']: p for p in json.loads(self.do('status', '--json'))['pairs']}

    def vms(self):
        return {v['name']: v for v in json.loads(self.do('vm', 'list', '--json'))['vms']}

    def await_pair(self, name, **wanted):
        def seen():
            pair = self.pairs()[name]
            return pair if all(pair.get(k) == v for k, v in wanted.items()) else None
        return until(seen, f'{name}: {wanted}, is {self.pairs().get(name)}')

    def await_saved(self, condition=lambda state: True):
        """The daemon writes the state file shortly after a change."""
        return until(lambda: self.state.exists() and condition(self.state.read_text()),
                     'the state to be saved')

    def client(self, **options):
        return Varlink(self.socket, **options)


def cli(*words, uid=None):
    demote = {'user': uid, 'group': uid, 'extra_groups': []} if uid else {}
    return subprocess.run([str(UNDERSTUDY), *map(str, words)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT_SEC * 2, **demote)


class Qemu:
    """A stopped QEMU with one standby for each (id, tap, MAC), and a second monitor for the test."""

    ids = 0
    program, standby = 'qemu-system-x86_64', 'virtio-net-pci,romfile='

    def __init__(self, *standbys, machine='q35', extra=(), path=None):
        Qemu.ids += 1
        self.path = path or RUN / f'qmp-{Qemu.ids}'
        ours, theirs = socket.socketpair()
        argv = [self.program, '-nodefaults', '-no-user-config', '-display', 'none',
                '-machine', f'{machine},accel=tcg', '-m', '16', '-S',
                '-chardev', f'socket,id=own,fd={theirs.fileno()}', '-mon', 'chardev=own,mode=control',
                '-qmp', f'unix:{self.path},server=on,wait=off']
        if machine == 'q35':
            for i in range(4):
                argv += ['-device', f'pcie-root-port,id=rp{i},chassis={i + 1},slot={i + 1}']
        for device, port, mac, *more in standbys:
            options = ''.join(f',{word}' for word in (more or ['failover=on']))
            argv += ['-netdev', f'tap,id=host-{device},ifname={port},script=no,downscript=no',
                     '-device', f'{self.standby},id={device},netdev=host-{device},mac={mac}'
                                f'{options}']
        with open(RUN / 'qemu.log', 'a') as log:
            self.process = spawn([*argv, *extra], pass_fds=[theirs.fileno()], stderr=log)
        theirs.close()
        self.monitor = ours.makefile('rw')
        ours.settimeout(LIMIT_SEC)
        check('QMP' in self.monitor.readline(), 'QEMU did not start')
        self.command('qmp_capabilities')

    def command(self, name, **arguments):
        self.monitor.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
        self.monitor.flush()
        while line := self.monitor.readline():
            answer = json.loads(line)
            if 'event' not in answer:
                check('return' in answer, name, answer)
                return answer['return']
        raise Failure('QEMU ended')

    def devices(self):
        return (sorted(d['name'] for d in self.command('qom-list', path='/machine/peripheral')),
                self.command('human-monitor-command', **{'command-line': 'info network'}),
                self.command('query-status')['status'])

    def end(self):
        end(self.process)


class Source:
    """Plays the source's daemon: migrates the guest of a QEMU to the VM @vm of @daemon."""

    PROTOCOL = 2

    def __init__(self, daemon, vm, *pairs, settings=None, **more):
        """@pairs: (name, MAC). @more: further parameters of the call."""
        self.client = daemon.client()
        wanted = [{'name': name, 'mac': mac, 'mtu': 0, 'queues': 1} for name, mac in pairs]
        self.answer = self.client.call('Receive', {'vm': vm, 'pairs': wanted, 'settings': settings,
                                                   'protocol': self.PROTOCOL, **more}, more=True)
        self.uri = self.answer['parameters'].get('uri')
        self.token = self.answer['parameters'].get('token')

    def migrate(self, qemu):
        qemu.command('migrate', uri=self.uri)
        answer = self.client.receive()
        check(answer['parameters'].get('arrived'), answer)

    def give_up(self):
        self.client.close()


class Fake:
    """Plays a QEMU: sends @words to each peer that connects, and then calls @then(peer)."""

    ids = 0

    def __init__(self, words, then=lambda peer: None):
        Fake.ids += 1
        self.path = RUN / f'fake-{Fake.ids}'
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.words, self.then, self.peers = words, then, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:  # shut down
                return
            self.peers.append(peer)
            if send_all(peer, self.words):
                self.then(peer)


def play_qemu(peer):
    """Answers the requests of the adoption, as a running QEMU without devices."""
    answers = {'query-status': {'status': 'running', 'running': True}}
    lines = peer.makefile('r')
    while True:
        asked = json.loads(lines.readline() or '{"execute": ""}')
        answer = {'return': answers.get(asked['execute'], {}), 'id': asked.get('id')}
        if not send_all(peer, json.dumps(answer).encode() + b'\n') or asked['execute'] == 'query-status':
            return


def greeting(major, minor):
    return json.dumps({'QMP': {'version': {'qemu': {'major': major, 'minor': minor, 'micro': 0},
                                           'package': ''}, 'capabilities': []}}).encode() + b'\r\n'


def slow_turns(seen):
    """Yields the turns that took too long, as the daemons logged them (src/daemon/loop.h) since the last call."""
    for log in RUN.glob('*/log'):
        text = log.read_bytes().decode(errors='replace')
        new, seen[log] = text[seen.get(log, 0):], len(text)
        for line in new.splitlines():
            if 'a turn of the loop took too long' in line:
                where = re.search(r'\+(0x[0-9a-f]+)', line)[1]
                name = subprocess.run(['addr2line', '-f', '-e', UNDERSTUDYD, where], check=False,
                                      capture_output=True, text=True).stdout.split('\n')[0]
                yield f'{line} ({name})'


# ---- Clients ----

class Varlink:
    """A raw client of the control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_SEC)
        self.socket.connect(str(path))
        self.buffer = b''

    def send(self, method, parameters=None, **flags):
        if '.' not in method:
            method = f'org.understudy.Control.{method}'
        self.socket.sendall(json.dumps({'method': method, 'parameters': parameters or {},
                                        **flags}).encode() + b'\0')

    def receive(self):
        while b'\0' not in self.buffer:
            more = self.socket.recv(65536)
            check(more, 'the daemon closed the connection')
            self.buffer += more
        text, self.buffer = self.buffer.split(b'\0', 1)
        return json.loads(text)

    def call(self, method, parameters=None, **flags):
        self.send(method, parameters, **flags)
        return self.receive()

    def pending(self):
        """Returns the messages that have arrived, without waiting."""
        messages = []
        while b'\0' in self.buffer or select.select([self.socket], [], [], 0)[0]:
            messages.append(self.receive())
        return messages

    def await_event(self, condition):
        while True:
            event = self.receive()['parameters']['event']
            if condition(event):
                return event

    def flood(self, data, times=1):
        """Sends until everything is sent, or the daemon closes the connection or stops reading."""
        self.socket.settimeout(1)
        try:
            return all(send_all(self.socket, data) for _ in range(times))
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()


# ---- Running ----

def enter_namespaces():
    if os.geteuid() != 0:
        print('network namespaces need root')
        sys.exit(77)
    if os.environ.get('BLACKBOX') != 'inside':
        os.environ['BLACKBOX'] = 'inside'
        # If the parent dies, the kernel kills unshare, and with it the first process of the
        # namespace, and with that all others.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        os.execvp('unshare', ['unshare', '--net', '--pid', '--fork', '--kill-child', '--mount-proc',
                              sys.executable, *sys.argv])
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', '/run'], check=True)
    os.umask(0o022)
    RUN.mkdir()
    ip('link', 'set', 'lo', 'up')


def main(tests):
    """Runs the functions named test_…: those named after the two programs, or all."""
    global UNDERSTUDYD, UNDERSTUDY
    enter_namespaces()
    UNDERSTUDYD, UNDERSTUDY = (pathlib.Path(p).absolute() for p in sys.argv[1:3])
    passed = failed = 0
    seen = {}
    for name, test in list(tests.items()):
        if not name.startswith('test_') or (sys.argv[3:] and name not in sys.argv[3:]):
            continue
        begin = time.monotonic()
        try:
            test()
            slow = list(slow_turns(seen))
            check(not slow, 'the loop was blocked:', *slow)
            passed += 1
            print(f'ok      {name} ({time.monotonic() - begin:.1f} s)', flush=True)
        except Exception as error:
            failed += 1
            where = traceback.extract_tb(error.__traceback__)
            lines = [f'{os.path.basename(f.filename)}:{f.lineno}' for f in where[1:]]
            print(f'FAILED  {name} ({", ".join(lines)}): {type(error).__name__}: {error}', flush=True)
    print(f'{passed} passed, {failed} failed')
    if failed:
        for log in RUN.glob('*/log'):
            print(f'--- {log}\n{log.read_text()[-6000:]}')
    sys.exit(1 if failed or not passed else 0)
