"""The process that isolates a program: started by sandbox.py, one for each program, with the standard library alone.

Design: it makes namespaces (user, mount, network, process, IPC, host name), builds a root of its own in memory that
holds the system's libraries and Python read-only and one writable folder of bounded size, drops every capability, sets
resource limits and only then starts the program. It stays outside and watches what all of the program's processes
together use; when it ends, for whatever reason, the kernel ends them all (their first process dies with it). Where
namespaces are not allowed it says so and, unless told otherwise, starts nothing.

Input: one JSON object on stdin. Output: the program's on stdout and stderr, one JSON object on file descriptor 3.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

NEWUSER, NEWNS, NEWNET, NEWPID, NEWIPC, NEWUTS = 0x10000000, 0x20000, 0x40000000, 0x20000000, 0x8000000, 0x4000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
NOATIME, NODIRATIME, ST_RELATIME, MS_RELATIME = 1024, 2048, 4096, 1 << 21
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
INSIDE = 1000
"""User of the program inside, where root starts the sandbox: root's processes escape the limit on their number."""
NOBODY = 65534
POLL_SECONDS = 0.05
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags))
    check(LIBC.mount(*arguments, data.encode() or None), f"mount {target}")


def bind(source: str, target: str) -> None:
    """`source` at `target`, read-only; flags that the kernel has locked are kept."""
    mount(source, target, None, MS_BIND)
    status = os.statvfs(target).f_flag
    kept = status & (MS_NOSUID | MS_NODEV | MS_NOEXEC | NOATIME | NODIRATIME)
    kept |= MS_RELATIME if status & ST_RELATIME else 0
    mount("none", target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | kept)


def own_root(root: str, python: str, scratch_bytes: int) -> None:
    """A root in memory at `root`, and this process in it, in a writable /tmp."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("sandbox", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=512,mode=755")
    for folder in ("/usr", "/lib", "/lib32", "/lib64", "/bin", python):
        if not Path(folder).is_dir():
            continue
        target = Path(root + (PYTHON_INSIDE if folder == python else folder))
        if Path(folder).is_symlink():
            target.symlink_to(Path(folder).readlink())
            continue
        target.mkdir(parents=True, exist_ok=True)
        bind(folder, str(target))
    for folder in ("etc", "dev", "proc", "tmp"):
        Path(root, folder).mkdir()
    for file in ("/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom"):
        if Path(file).exists():
            os.close(os.open(root + file, os.O_CREAT | os.O_WRONLY))
            with contextlib.suppress(OSError):
                mount(file, root + file, None, MS_BIND)
    with contextlib.suppress(OSError):  # not allowed where a container masks parts of /proc; Python does without
        mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("scratch", f"{root}/tmp", "tmpfs", MS_NOSUID | MS_NODEV, f"size={scratch_bytes},nr_inodes=1024,mode=1777")
    os.chdir(root)
    check(LIBC.pivot_root(b".", b"."), "pivot_root")
    check(LIBC.umount2(b".", 2), "umount of the old root")
    os.chdir("/tmp")
    mount("none", "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


PYTHON_INSIDE = "/python"


def drop_privileges(as_root: bool) -> None:
    for capability in range(64):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # those beyond the kernel's last fail, and need not succeed
    if as_root:
        os.setgroups([])
        os.setresgid(INSIDE, INSIDE, INSIDE)
        os.setresuid(INSIDE, INSIDE, INSIDE)
    check(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def set_limits(spec: dict[str, Any]) -> None:
    limits = {
        resource.RLIMIT_CPU: spec["cpu_seconds"] + 1,
        resource.RLIMIT_AS: spec.get("address_bytes") or spec["memory_bytes"],
        resource.RLIMIT_FSIZE: spec["file_bytes"],
        resource.RLIMIT_NPROC: spec["processes"],
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))


def die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def isolate(ready: int, go: int) -> None:
    """New namespaces for this process and its children; the parent writes the map of users in between."""
    check(LIBC.unshare(NEWUSER | NEWNS | NEWNET | NEWPID | NEWIPC | NEWUTS), "unshare")
    os.write(ready, b"U")
    if os.read(go, 1) != b"G":
        raise OSError("users could not be mapped")


def map_users(pid: int) -> None:
    user, group = os.getuid(), os.getgid()
    users, groups = f"0 {user} 1\n", f"0 {group} 1\n"
    if user == 0:
        users, groups = users + f"{INSIDE} {NOBODY} 1\n", groups + f"{INSIDE} {NOBODY} 1\n"
    else:
        write(f"/proc/{pid}/setgroups", "deny")
    write(f"/proc/{pid}/gid_map", groups)
    write(f"/proc/{pid}/uid_map", users)


def write(path: str, text: str) -> None:
    # In one call: the kernel takes the map of users in one write only.
    Path(path).write_text(text)


def first_process(spec: dict[str, Any], isolated: bool, as_root: bool) -> int:
    """Starts the program, waits for it and gives its exit code. As the first of its process namespace it takes all
    others with it."""
    python = spec["python"]
    if isolated:
        die_with_parent()
        with contextlib.suppress(OSError):  # no further user namespaces inside: the program gets no capabilities back
            write("/proc/sys/user/max_user_namespaces", "0")
        own_root(spec["scratch"], python, spec["file_bytes"])
        LIBC.sethostname(b"sandbox", 7)
        python = PYTHON_INSIDE
    else:
        os.chdir(spec["scratch"])
        # Without a namespace of its own the limit counts every process of the user.
        mine = os.getuid()
        own = sum(entry.name.isdigit() and entry.stat().st_uid == mine for entry in os.scandir("/proc"))
        spec = {**spec, "processes": spec["processes"] + own}
    child = os.fork()
    if child == 0:
        if isolated:
            drop_privileges(as_root)
        else:
            LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        write("program.py", spec["program"])
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        set_limits(spec)
        executable = f"{python}/bin/{spec['executable']}"
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(Path.cwd()), "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
        os.execve(executable, [executable, "-I", "-S", "-B", "program.py"], environment)
    status = 0
    while True:
        try:
            done, status = os.wait()
        except ChildProcessError:
            return 1
        if done == child:
            return os.waitstatus_to_exitcode(status)


def used_by(pid: int) -> tuple[float, int, int]:
    """Processor seconds, resident bytes and number of the processes below `pid`, itself included."""
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    seconds, resident, count, waiting = 0.0, 0, 0, [pid]
    while waiting and count < 4096:
        at = waiting.pop()
        try:
            fields = Path(f"/proc/{at}/stat").read_text().rpartition(")")[2].split()
            waiting.extend(int(child) for child in Path(f"/proc/{at}/task/{at}/children").read_text().split())
        except (OSError, ValueError, IndexError):
            continue
        count += 1
        # utime, stime and those of children that were waited for
        seconds += sum(int(value) for value in fields[11:15]) / tick
        resident += int(fields[21]) * page
    return seconds, resident, count


def watch(pid: int, spec: dict[str, Any]) -> tuple[int | None, str]:
    """Exit code and, where a limit ended the program, its name."""
    deadline = time.monotonic() + spec["wall_seconds"]
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), ""
        seconds, resident, _ = used_by(pid)
        broken = (
            "wall time" if time.monotonic() > deadline
            else "processor time" if seconds > spec["cpu_seconds"]
            else "memory" if resident > spec["memory_bytes"]
            else ""
        )  # fmt: skip
        if broken:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None, broken
        time.sleep(POLL_SECONDS)


def main() -> None:
    spec = json.load(sys.stdin)
    # Whoever holds it could write the report: a program that fails would say that there was no sandbox.
    os.set_inheritable(spec["report_fd"], False)
    die_with_parent()
    as_root = os.getuid() == 0
    problem = ""
    for isolated in (True, False):
        if not isolated and not spec["without_network_barrier"]:
            report(spec, {"started": False, "isolation": [], "problem": problem})
            return
        ready_out, ready_in = os.pipe()
        go_out, go_in = os.pipe()
        outer = os.fork()
        if outer == 0:
            os.close(ready_out)
            os.close(go_in)
            begin(spec, isolated, as_root, ready_in, go_out)
        os.close(ready_in)
        os.close(go_out)
        said = os.read(ready_out, 1)
        if said == b"U" and isolated:
            try:
                map_users(outer)
                os.write(go_in, b"G")
                said = os.read(ready_out, 1)
            except OSError as error:
                problem = str(error)
        os.close(go_in)
        if said == b"S":
            code, broken = watch(outer, spec)
            isolation = ["network", "files", "processes", "users"] if isolated else []
            found = {"started": True, "isolation": isolation, "code": code, "limit": broken, "problem": problem}
            report(spec, found)
            return
        problem = problem or os.read(ready_out, 4000).decode(errors="replace")
        os.close(ready_out)
        with contextlib.suppress(OSError):
            os.kill(outer, signal.SIGKILL)
        os.waitpid(outer, 0)


def begin(spec: dict[str, Any], isolated: bool, as_root: bool, ready: int, go: int) -> None:
    """In a child: isolates, says S once the next process is on its way, and never returns."""
    try:
        die_with_parent()
        if isolated:
            isolate(ready, go)
        inner_out, inner_in = os.pipe()
        inner = os.fork()
        if inner == 0:
            try:
                os.close(inner_out)
                os.set_inheritable(inner_in, False)
                os._exit(first_process(spec, isolated, as_root) & 0xFF)
            except BaseException as error:
                os.write(inner_in, f"{type(error).__name__}: {error}".encode())
                os._exit(125)
        os.close(inner_in)
        os.write(ready, b"S")
        _, status = os.waitpid(inner, 0)
        failure = os.read(inner_out, 4000)
        if failure:
            os.write(2, b"sandbox: " + failure)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    except BaseException as error:
        os.write(ready, f"X{type(error).__name__}: {error}".encode())
        os._exit(125)


def report(spec: dict[str, Any], found: dict[str, Any]) -> None:
    os.write(spec["report_fd"], json.dumps(found).encode())


if __name__ == "__main__":
    main()
