#include "capabilities.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>

#include "files.h"

namespace keelson::oci {
namespace {

// In the order of their numbers.
constexpr const char* names[] = {"CAP_CHOWN",
                                 "CAP_DAC_OVERRIDE",
                                 "CAP_DAC_READ_SEARCH",
                                 "CAP_FOWNER",
                                 "CAP_FSETID",
                                 "CAP_KILL",
                                 "CAP_SETGID",
                                 "CAP_SETUID",
                                 "CAP_SETPCAP",
                                 "CAP_LINUX_IMMUTABLE",
                                 "CAP_NET_BIND_SERVICE",
                                 "CAP_NET_BROADCAST",
                                 "CAP_NET_ADMIN",
                                 "CAP_NET_RAW",
                                 "CAP_IPC_LOCK",
                                 "CAP_IPC_OWNER",
                                 "CAP_SYS_MODULE",
                                 "CAP_SYS_RAWIO",
                                 "CAP_SYS_CHROOT",
                                 "CAP_SYS_PTRACE",
                                 "CAP_SYS_PACCT",
                                 "CAP_SYS_ADMIN",
                                 "CAP_SYS_BOOT",
                                 "CAP_SYS_NICE",
                                 "CAP_SYS_RESOURCE",
                                 "CAP_SYS_TIME",
                                 "CAP_SYS_TTY_CONFIG",
                                 "CAP_MKNOD",
                                 "CAP_LEASE",
                                 "CAP_AUDIT_WRITE",
                                 "CAP_AUDIT_CONTROL",
                                 "CAP_SETFCAP",
                                 "CAP_MAC_OVERRIDE",
                                 "CAP_MAC_ADMIN",
                                 "CAP_SYSLOG",
                                 "CAP_WAKE_ALARM",
                                 "CAP_BLOCK_SUSPEND",
                                 "CAP_AUDIT_READ",
                                 "CAP_PERFMON",
                                 "CAP_BPF",
                                 "CAP_CHECKPOINT_RESTORE"};

constexpr const char* usual[] = {"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
                                 "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
                                 "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
                                 "CAP_KILL",    "CAP_AUDIT_WRITE"};

std::set<std::string> read_own() {
    std::set<std::string> own;
    const std::string status = read_file("/proc/self/status").value_or("");
    const std::size_t line = status.find("CapPrm:");
    if (line == std::string::npos) return own;
    const std::uint64_t bits = std::strtoull(status.c_str() + line + 7, nullptr, 16);
    for (std::size_t number = 0; number < std::size(names); ++number)
        if ((bits >> number & 1) != 0) own.insert(names[number]);
    return own;
}

std::string full_name(std::string name, const char* field) {
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
    if (!name.starts_with("CAP_")) name.insert(0, "CAP_");
    if (name != "CAP_ALL" && std::ranges::find(names, name) == std::end(names))
        throw Error(Code::invalid, "there is no capability '" + name + "'", field);
    return name;
}

}  // namespace

const std::set<std::string>& own_capabilities() {
    static const std::set<std::string> own = read_own();
    return own;
}

std::set<std::string> capabilities_for(const runtime::Security& security) {
    if (security.privileged) return own_capabilities();
    std::set<std::string> wanted(std::begin(usual), std::end(usual));
    if (security.capabilities) {
        std::set<std::string> added;
        std::set<std::string> dropped;
        for (const std::string& name : security.capabilities->add)
            added.insert(full_name(name, "security.capabilities.add"));
        for (const std::string& name : security.capabilities->drop)
            dropped.insert(full_name(name, "security.capabilities.drop"));
        // "ALL" first, then what is named: dropping all and adding one leaves one, and the other way round.
        if (added.contains("CAP_ALL")) wanted.insert(std::begin(names), std::end(names));
        if (dropped.contains("CAP_ALL")) wanted.clear();
        wanted.insert(added.begin(), added.end());
        for (const std::string& name : dropped) wanted.erase(name);
    }
    std::erase_if(wanted, [](const std::string& name) { return !own_capabilities().contains(name); });
    return wanted;
}

}  // namespace keelson::oci
