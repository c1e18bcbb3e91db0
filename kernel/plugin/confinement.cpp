#include "kernel/plugin/confinement.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include "kernel/base/files.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;

// Nothing that a volume, a network, a runtime or an authenticator needs; each has been a way out of a
// container.
constexpr const char* kDenied[] = {"kexec_load",
                                   "kexec_file_load",
                                   "init_module",
                                   "finit_module",
                                   "delete_module",
                                   "reboot",
                                   "swapon",
                                   "swapoff",
                                   "settimeofday",
                                   "clock_settime",
                                   "clock_adjtime",
                                   "adjtimex",
                                   "acct",
                                   "bpf",
                                   "perf_event_open",
                                   "ptrace",
                                   "process_vm_readv",
                                   "process_vm_writev",
                                   "add_key",
                                   "request_key",
                                   "keyctl",
                                   "userfaultfd",
                                   "iopl",
                                   "ioperm",
                                   "open_by_handle_at",
                                   "lookup_dcookie",
                                   "quotactl",
                                   "nfsservctl",
                                   "io_uring_setup"};

Result<void> join(const std::string& cgroup) {
    const std::string path = cgroup + "/cgroup.procs";
    KEELSON_TRY(const base::FileDescriptor file, base::open_file(path, O_WRONLY));
    if (::write(file.get(), "0", 1) == 1) return base::ok();
    const int failure = errno;
    Status why = base::system_error("joining the cgroup " + cgroup, failure);
    const int policy = ::sched_getscheduler(0);
    // The most common reason for EINVAL, and one that the number does not tell.
    if (failure == EINVAL && (policy == SCHED_FIFO || policy == SCHED_RR))
        return Status(why.reason(), why.message() +
                                        ": it runs with a real-time priority, which the cgroup has no "
                                        "budget for; start keelsond without (chrt --other 0)");
    return why;
}

Result<std::set<cap_value_t>> parse(const std::vector<std::string>& names) {
    std::set<cap_value_t> values;
    for (const std::string& name : names) {
        std::string text = "cap_" + name;
        std::ranges::transform(text, text.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
        cap_value_t value = 0;
        if (::cap_from_name(text.c_str(), &value) != 0)
            return Status(Reason::bad_request,
                          "there is no capability '" + name + "': write it like SYS_ADMIN");
        values.insert(value);
    }
    return values;
}

Result<void> keep_only(const std::set<cap_value_t>& kept) {
    for (cap_value_t value = 0; value <= CAP_LAST_CAP; ++value) {
        if (kept.contains(value) || ::cap_get_bound(value) <= 0) continue;
        if (::cap_drop_bound(value) != 0 && errno != EPERM)
            return base::system_error("dropping capabilities", errno);
    }
    const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> had(::cap_get_proc(), ::cap_free);
    const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> state(::cap_init(), ::cap_free);
    if (!had || !state) return base::system_error("reading capabilities", errno);
    for (const cap_value_t value : kept) {
        cap_flag_value_t has = CAP_CLEAR;
        // What this process does not have itself it cannot pass on.
        if (::cap_get_flag(had.get(), value, CAP_PERMITTED, &has) != 0 || has != CAP_SET) continue;
        for (const cap_flag_t flag : {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE})
            ::cap_set_flag(state.get(), flag, 1, &value, CAP_SET);
    }
    if (::cap_set_proc(state.get()) != 0) return base::system_error("dropping capabilities", errno);
    return base::ok();
}

Result<void> filter_system_calls() {
    const std::unique_ptr<void, void (*)(void*)> filter(::seccomp_init(SCMP_ACT_ALLOW), ::seccomp_release);
    if (!filter) return Status(Reason::internal_error, "seccomp: no filter can be made");
    for (const char* name : kDenied) {
        const int number = ::seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR || number < 0) continue;  // not known on this machine
        if (const int failure = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0);
            failure != 0)
            return base::system_error(std::string("seccomp: ") + name, -failure);
    }
    if (const int failure = ::seccomp_load(filter.get()); failure != 0)
        return base::system_error("seccomp", -failure);
    return base::ok();
}

}  // namespace

Result<void> confine(const Confinement& wanted) {
    KEELSON_TRY(const auto kept, parse(wanted.capabilities));
    for (const std::string& cgroup : wanted.cgroups) KEELSON_TRY_VOID(join(cgroup));
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    // All children inherit it, as they do the filter: who asks to be without the one starts processes that
    // need to be without the other (a runtime's containers, with programs that change the user).
    if (wanted.seccomp && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return base::system_error("no_new_privs", errno);
    KEELSON_TRY_VOID(keep_only(kept));
    if (wanted.seccomp) KEELSON_TRY_VOID(filter_system_calls());
    return base::ok();
}

}  // namespace keelson::plugin
