#include "sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace keelson::oci::shim {
namespace {

constexpr uid_t nobody = 65'534;

bool set_sysctl(const char* assignment) {
    const char* value = std::strchr(assignment, '=');
    if (value == nullptr) return false;
    Buffer<256> path;
    path.add(assignment, std::size_t(value - assignment));
    ++value;
    const int file = ::open(path.data(), O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    const bool good = ::write(file, value, std::strlen(value)) >= 0;
    ::close(file);
    return good;
}

void raise_loopback() {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return;
    ifreq request{};
    std::memcpy(request.ifr_name, "lo", 3);
    if (::ioctl(socket, SIOCGIFFLAGS, &request) == 0) {
        request.ifr_flags = short(request.ifr_flags | IFF_UP);
        ::ioctl(socket, SIOCSIFFLAGS, &request);
    }
    ::close(socket);
}

// As runtimes do: an unprivileged process may listen to any port of its own network, and ping.
void relax_network() {
    set_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start=0");
    set_sysctl("/proc/sys/net/ipv4/ping_group_range=0 2147483647");
}

// crun refuses the hybrid layout when version 2 has controllers. That mount is not seen in here any more;
// only the directory above it leaves its peers, so that all other mounts come and go as on the host.
void hide_unified() {
    constexpr const char* unified = "/sys/fs/cgroup/unified";
    if (::access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) != 0) return;
    ::mount(nullptr, "/sys/fs/cgroup", nullptr, MS_PRIVATE, nullptr);
    ::umount2(unified, MNT_DETACH);
}

bool make_mounts(const Message& setup) {
    if (::mount(nullptr, private_mount, nullptr, MS_PRIVATE, nullptr) != 0 ||
        ::mount("keelson", mounts_directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=16m") != 0)
        return false;
    if (!setup.has(field::shared_memory)) return true;
    Buffer<64> shared;
    shared.add(mounts_directory).add("/shm");
    Buffer<64> options;
    options.add("mode=1777,size=").add(setup.text(field::shared_memory));
    return ::mkdir(shared.data(), 0755) == 0 &&
           ::mount("shm", shared.data(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options.data()) == 0;
}

// The first process is seen by the pod's containers: through it nothing of the host may be reached.
[[noreturn]] void be_first_process() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, "pause");
    const bool alone = ::unshare(CLONE_NEWNS) == 0 &&
                       ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       ::mount("pause", mounts_directory, "tmpfs", MS_RDONLY, "size=4k") == 0 &&
                       ::chdir(mounts_directory) == 0 && ::syscall(SYS_pivot_root, ".", ".") == 0 &&
                       ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
    if (!alone) ::_exit(1);
    ::syscall(SYS_close_range, 0U, ~0U, 0U);
    for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
    }
    if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
        ::setresuid(nobody, nobody, nobody) != 0)
        ::_exit(1);
    // Changing the user has taken this away.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t children;
    ::sigemptyset(&children);
    ::sigaddset(&children, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &children, nullptr);
    for (;;) {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        ::sigwaitinfo(&children, nullptr);
    }
}

bool make_first_process(Sandbox& sandbox) {
    const auto process = pid_t(::syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, nullptr, nullptr, nullptr, 0));
    if (process == 0) be_first_process();
    sandbox.first_process = process;
    return process > 0;
}

// What containers inherit; what may not be raised stays as it is.
void set_limits() {
    const rlimit core{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_CORE, &core);
    const rlimit files{1'048'576, 1'048'576};
    ::setrlimit(RLIMIT_NOFILE, &files);
    Buffer<8> adjustment;
    adjustment.add("-998");
    const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    (void)!::write(file, adjustment.data(), adjustment.size());
    ::close(file);
}

int namespace_flags(const Message& setup) {
    int flags = CLONE_NEWNS;
    for (const char* letter = setup.text(field::namespaces); *letter != 0; ++letter) {
        if (*letter == 'n') flags |= CLONE_NEWNET;
        if (*letter == 'i') flags |= CLONE_NEWIPC;
        if (*letter == 'u') flags |= CLONE_NEWUTS;
    }
    return flags;
}

bool join_cgroups(const Message& setup) {
    bool good = true;
    setup.each([&](char letter, const char* directory) {
        if (letter != field::join || !good) return;
        Buffer<1024> path;
        path.add(directory).add("/cgroup.procs");
        const int file = ::open(path.data(), O_WRONLY | O_CLOEXEC);
        good = file >= 0 && ::write(file, "0", 1) == 1;
        const int failure = errno;
        if (file >= 0) ::close(file);
        errno = failure;
    });
    return good;
}

}  // namespace

bool set_up(const Message& setup, Sandbox& sandbox, const char*& what) {
    const int flags = namespace_flags(setup);
    sandbox.has_network = (flags & CLONE_NEWNET) != 0;
    what = "joining the pod's cgroup";
    if (!join_cgroups(setup)) return false;
    set_limits();
    what = "making the pod's namespaces";
    if (::unshare(flags) != 0) return false;
    const char* hostname = setup.text(field::hostname);
    what = "setting the host name";
    if (*hostname != 0 && ::sethostname(hostname, std::strlen(hostname)) != 0) return false;
    if (sandbox.has_network) {
        raise_loopback();
        relax_network();
    }
    bool good = true;
    what = "setting the pod's sysctls (are they known on this machine?)";
    setup.each([&](char letter, const char* text) {
        if (letter == field::sysctl) good = good && set_sysctl(text);
    });
    if (!good) return false;
    hide_unified();
    what = "mounting what is the pod's own";
    if (!make_mounts(setup)) return false;
    what = "making the pod's process namespace";
    if (std::strchr(setup.text(field::namespaces), 'p') != nullptr && !make_first_process(sandbox))
        return false;
    return ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

}  // namespace keelson::oci::shim
