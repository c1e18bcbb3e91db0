#include "stack/firewall.h"

// The C library's before all of the kernel's, which then leave out what it has.
#include <net/if.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_recent.h>
#include <linux/netfilter/xt_statistic.h>
#include <linux/netfilter/xt_tcpudp.h>
// The next one is written for C.
#define _Bool bool  // NOLINT(bugprone-reserved-identifier)
#include <linux/netfilter/xt_sctp.h>
#undef _Bool
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>

extern "C" {
#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>
}

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <thread>
#include <unordered_set>

#include "keelson/error.hpp"

namespace keelson::stack {
namespace {

constexpr const char* lock_path = "/run/xtables.lock";
constexpr std::chrono::seconds longest_wait(5);
constexpr std::chrono::milliseconds look_interval(5);
constexpr int commit_attempts = 3;

// The same calls for both families.
struct Four {
    using Entry = ipt_entry;
    static constexpr int family = AF_INET;
    static constexpr auto init = iptc_init;
    static constexpr auto free = iptc_free;
    static constexpr auto commit = iptc_commit;
    static constexpr auto is_chain = iptc_is_chain;
    static constexpr auto first_chain = iptc_first_chain;
    static constexpr auto next_chain = iptc_next_chain;
    static constexpr auto is_builtin = iptc_builtin;
    static constexpr auto create_chain = iptc_create_chain;
    static constexpr auto delete_chain = iptc_delete_chain;
    static constexpr auto flush = iptc_flush_entries;
    static constexpr auto first_rule = iptc_first_rule;
    static constexpr auto next_rule = iptc_next_rule;
    static constexpr auto target_of = iptc_get_target;
    static constexpr auto insert = iptc_insert_entry;
    static constexpr auto remove = iptc_delete_num_entry;
    static constexpr auto policy = iptc_get_policy;
    static constexpr auto problem = iptc_strerror;
    static auto& selector(Entry& entry) { return entry.ip; }
    static void select_protocol(Entry& entry, std::uint8_t protocol) { entry.ip.proto = protocol; }
    static constexpr const char* module = "iptable_";
};

struct Six {
    using Entry = ip6t_entry;
    static constexpr int family = AF_INET6;
    static constexpr auto init = ip6tc_init;
    static constexpr auto free = ip6tc_free;
    static constexpr auto commit = ip6tc_commit;
    static constexpr auto is_chain = ip6tc_is_chain;
    static constexpr auto first_chain = ip6tc_first_chain;
    static constexpr auto next_chain = ip6tc_next_chain;
    static constexpr auto is_builtin = ip6tc_builtin;
    static constexpr auto create_chain = ip6tc_create_chain;
    static constexpr auto delete_chain = ip6tc_delete_chain;
    static constexpr auto flush = ip6tc_flush_entries;
    static constexpr auto first_rule = ip6tc_first_rule;
    static constexpr auto next_rule = ip6tc_next_rule;
    static constexpr auto target_of = ip6tc_get_target;
    static constexpr auto insert = ip6tc_insert_entry;
    static constexpr auto remove = ip6tc_delete_num_entry;
    static constexpr auto policy = ip6tc_get_policy;
    static constexpr auto problem = ip6tc_strerror;
    static auto& selector(Entry& entry) { return entry.ipv6; }
    static void select_protocol(Entry& entry, std::uint8_t protocol) {
        entry.ipv6.proto = protocol;
        entry.ipv6.flags |= IP6T_F_PROTO;
    }
    static constexpr const char* module = "ip6table_";
};

// --- a rule as the kernel takes it ---

// Bytes that grow; matches and targets are aligned as the kernel has them.
class Bytes {
  public:
    std::size_t reserve(std::size_t size) {
        const std::size_t start = bytes_.size();
        bytes_.resize(start + XT_ALIGN(size));
        return start;
    }
    template <typename T>
    T* at(std::size_t offset) {
        return reinterpret_cast<T*>(bytes_.data() + offset);
    }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }

  private:
    std::vector<char> bytes_;
};

// Matches and targets have the same head but for their types.
template <typename Head, typename Data>
void append_extension(Bytes& bytes, const char* name, std::uint8_t revision, const Data& data) {
    const std::size_t size = XT_ALIGN(sizeof(Head)) + XT_ALIGN(sizeof(Data));
    const std::size_t start = bytes.reserve(size);
    Head& head = *bytes.at<Head>(start);
    std::strncpy(head.u.user.name, name, sizeof head.u.user.name - 1);
    head.u.user.revision = revision;
    if constexpr (std::is_same_v<Head, xt_entry_match>)
        head.u.user.match_size = std::uint16_t(size);
    else
        head.u.user.target_size = std::uint16_t(size);
    std::memcpy(bytes.at<char>(start + XT_ALIGN(sizeof(Head))), &data, sizeof data);
}

template <typename Data>
void append_match(Bytes& bytes, const char* name, std::uint8_t revision, const Data& data) {
    append_extension<xt_entry_match>(bytes, name, revision, data);
}

void append_port_match(Bytes& bytes, const Rule& rule) {
    constexpr std::uint16_t all = std::numeric_limits<std::uint16_t>::max();
    const std::uint16_t port = rule.destination_port;
    if (port == 0 && rule.last_destination_port == 0) return;
    const std::uint16_t last = std::max(port, rule.last_destination_port);
    if (rule.protocol == "TCP") {
        xt_tcp match{};
        match.spts[1] = all;
        match.dpts[0] = port;
        match.dpts[1] = last;
        append_match(bytes, "tcp", 0, match);
    } else if (rule.protocol == "UDP") {
        xt_udp match{};
        match.spts[1] = all;
        match.dpts[0] = port;
        match.dpts[1] = last;
        append_match(bytes, "udp", 0, match);
    } else {
        xt_sctp_info match{};
        match.spts[1] = all;
        match.dpts[0] = port;
        match.dpts[1] = last;
        match.flags = XT_SCTP_DEST_PORTS;
        append_match(bytes, "sctp", 0, match);
    }
}

void append_tracking_match(Bytes& bytes, Rule::Tracked tracked) {
    if (tracked == Rule::Tracked::any) return;
    xt_conntrack_mtinfo3 match{};
    match.match_flags = XT_CONNTRACK_STATE;
    if (tracked == Rule::Tracked::opening) match.state_mask = XT_CONNTRACK_STATE_BIT(IP_CT_NEW);
    if (tracked == Rule::Tracked::known)
        match.state_mask = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) | XT_CONNTRACK_STATE_BIT(IP_CT_RELATED);
    if (tracked == Rule::Tracked::translated) match.state_mask = XT_CONNTRACK_STATE_DNAT;
    append_match(bytes, "conntrack", 3, match);
}

void append_client_match(Bytes& bytes, const std::string& name, std::uint8_t what, std::uint32_t seconds) {
    if (name.empty()) return;
    xt_recent_mtinfo_v1 match{};
    match.check_set = what;
    match.seconds = seconds;
    match.side = XT_RECENT_SOURCE;
    std::strncpy(match.name, name.c_str(), sizeof match.name - 1);
    std::memset(&match.mask, 0xff, sizeof match.mask);
    append_match(bytes, "recent", 1, match);
}

void append_chance_match(Bytes& bytes, std::uint32_t chance) {
    if (chance == 0) return;
    xt_statistic_info match{};
    match.mode = XT_STATISTIC_MODE_RANDOM;
    match.u.random.probability = chance;
    append_match(bytes, "statistic", 0, match);
}

// In an order in which what costs little, and what changes nothing, comes first.
void append_matches(Bytes& bytes, const Rule& rule) {
    append_port_match(bytes, rule);
    if (rule.marked != 0) {
        // Set means that the masked bits are not all zero.
        xt_mark_mtinfo1 match{};
        match.mask = rule.marked;
        match.invert = 1;
        append_match(bytes, "mark", 1, match);
    }
    append_tracking_match(bytes, rule.tracked);
    if (rule.is_to_node || rule.is_from_node) {
        xt_addrtype_info_v1 match{};
        match.dest = rule.is_to_node ? XT_ADDRTYPE_LOCAL : 0;
        match.source = rule.is_from_node ? XT_ADDRTYPE_LOCAL : 0;
        append_match(bytes, "addrtype", 1, match);
    }
    append_chance_match(bytes, rule.chance);
    append_client_match(bytes, rule.remembered_as, XT_RECENT_CHECK | XT_RECENT_REAP, rule.remembered_seconds);
    append_client_match(bytes, rule.remember_as, XT_RECENT_SET, 0);
    if (!rule.comment.empty()) {
        xt_comment_info match{};
        std::strncpy(match.comment, rule.comment.c_str(), sizeof match.comment - 1);
        append_match(bytes, "comment", 0, match);
    }
}

void append_translation(Bytes& bytes, const Rule& rule) {
    nf_nat_range2 range{};
    range.flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED;
    std::memcpy(&range.min_addr, rule.new_destination.bytes.data(), rule.new_destination.size());
    range.max_addr = range.min_addr;
    range.min_proto.all = range.max_proto.all = htons(rule.new_port);
    append_extension<xt_entry_target>(bytes, "DNAT", 2, range);
}

// What a refused client hears at once: replies by ICMP are rationed, resets are not.
void append_refusal(Bytes& bytes, const Rule& rule, int family) {
    const bool is_tcp = rule.protocol == "TCP";
    if (family == AF_INET) {
        ipt_reject_info refusal{};
        refusal.with = is_tcp ? IPT_TCP_RESET : IPT_ICMP_PORT_UNREACHABLE;
        append_extension<xt_entry_target>(bytes, "REJECT", 0, refusal);
    } else {
        ip6t_reject_info refusal{};
        refusal.with = is_tcp ? IP6T_TCP_RESET : IP6T_ICMP6_PORT_UNREACH;
        append_extension<xt_entry_target>(bytes, "REJECT", 0, refusal);
    }
}

void append_target(Bytes& bytes, const Rule& rule, int family) {
    if (rule.target == "DNAT") {
        append_translation(bytes, rule);
    } else if (rule.target == "REDIRECT" && family == AF_INET) {
        nf_nat_ipv4_multi_range_compat range{};
        range.rangesize = 1;
        range.range[0].flags = NF_NAT_RANGE_PROTO_SPECIFIED;
        range.range[0].min.all = range.range[0].max.all = htons(rule.new_port);
        append_extension<xt_entry_target>(bytes, "REDIRECT", 0, range);
    } else if (rule.target == "REDIRECT") {
        nf_nat_range range{};
        range.flags = NF_NAT_RANGE_PROTO_SPECIFIED;
        range.min_proto.all = range.max_proto.all = htons(rule.new_port);
        append_extension<xt_entry_target>(bytes, "REDIRECT", 0, range);
    } else if (rule.target == "REJECT") {
        append_refusal(bytes, rule, family);
    } else if (rule.target == "MARK") {
        xt_mark_tginfo2 mark{};
        mark.mark = rule.set_bits;
        mark.mask = rule.set_bits | rule.clear_bits;
        append_extension<xt_entry_target>(bytes, "MARK", 2, mark);
    } else if (rule.target == "MASQUERADE" && family == AF_INET) {
        nf_nat_ipv4_multi_range_compat range{};
        range.rangesize = 1;
        range.range[0].flags = NF_NAT_RANGE_PROTO_RANDOM_FULLY;
        append_extension<xt_entry_target>(bytes, "MASQUERADE", 0, range);
    } else if (rule.target == "MASQUERADE") {
        nf_nat_range range{};
        range.flags = NF_NAT_RANGE_PROTO_RANDOM_FULLY;
        append_extension<xt_entry_target>(bytes, "MASQUERADE", 0, range);
    } else {
        const std::size_t start = bytes.reserve(sizeof(xt_standard_target));
        xt_entry_target& target = bytes.at<xt_standard_target>(start)->target;
        target.u.user.target_size = XT_ALIGN(sizeof(xt_standard_target));
        std::strncpy(target.u.user.name, rule.target.c_str(), sizeof target.u.user.name - 1);
    }
}

template <typename Field>
void select_prefix(const std::optional<Prefix>& prefix, Field& address, Field& mask) {
    if (!prefix) return;
    std::memcpy(&address, prefix->address.bytes.data(), sizeof address);
    auto* bytes = reinterpret_cast<std::uint8_t*>(&mask);
    for (int bit = 0; bit < prefix->length; ++bit) bytes[bit / 8] |= std::uint8_t(0x80 >> (bit % 8));
}

void select_interface(const std::string& name, char* interface, unsigned char* mask) {
    if (name.empty()) return;
    std::strncpy(interface, name.c_str(), IFNAMSIZ - 1);
    std::memset(mask, 0xff, std::min<std::size_t>(name.size() + 1, IFNAMSIZ));
}

std::uint8_t number_of(const std::string& protocol) {
    if (protocol == "TCP") return IPPROTO_TCP;
    if (protocol == "UDP") return IPPROTO_UDP;
    if (protocol == "SCTP") return IPPROTO_SCTP;
    throw Error(Code::invalid, "protocol \"" + protocol + "\" is none of TCP, UDP and SCTP");
}

template <typename Family>
Bytes encode(const Rule& rule) {
    using Entry = typename Family::Entry;
    Bytes bytes;
    bytes.reserve(sizeof(Entry));
    {
        Entry& entry = *bytes.at<Entry>(0);
        auto& selector = Family::selector(entry);
        select_prefix(rule.source, selector.src, selector.smsk);
        select_prefix(rule.destination, selector.dst, selector.dmsk);
        select_interface(rule.in_interface, selector.iniface, selector.iniface_mask);
        select_interface(rule.out_interface, selector.outiface, selector.outiface_mask);
        if (!rule.protocol.empty()) Family::select_protocol(entry, number_of(rule.protocol));
    }
    append_matches(bytes, rule);
    const std::size_t target_offset = bytes.size();
    append_target(bytes, rule, Family::family);
    bytes.at<Entry>(0)->target_offset = std::uint16_t(target_offset);
    bytes.at<Entry>(0)->next_offset = std::uint16_t(bytes.size());
    return bytes;
}

// --- what makes two rules the same ---

std::string_view data_of(const void* head, std::size_t head_size, std::size_t size) {
    return {static_cast<const char*>(head) + XT_ALIGN(head_size), size - XT_ALIGN(head_size)};
}

// All but counters, offsets and what lies behind the end of names: the kernel leaves that as it finds it.
template <typename Family>
std::string signature(const typename Family::Entry& entry, const std::string& target_name) {
    auto selector = Family::selector(const_cast<typename Family::Entry&>(entry));
    std::string text(reinterpret_cast<const char*>(&selector), sizeof selector);
    const char* start = reinterpret_cast<const char*>(&entry);
    for (std::size_t at = sizeof entry; at < entry.target_offset;) {
        const auto& match = *reinterpret_cast<const xt_entry_match*>(start + at);
        text.append(match.u.user.name).push_back(char(match.u.user.revision));
        text.append(data_of(&match, sizeof match, match.u.match_size));
        at += match.u.match_size;
    }
    const auto& target = *reinterpret_cast<const xt_entry_target*>(start + entry.target_offset);
    text.append(target_name);
    static const std::set<std::string_view> with_data = {"DNAT", "MARK", "MASQUERADE", "REDIRECT", "REJECT"};
    if (!with_data.contains(target_name)) return text;
    text.push_back(char(target.u.user.revision));
    return text.append(data_of(&target, sizeof target, target.u.target_size));
}

// FNV-1a over all of them.
struct Fingerprint {
    std::uint64_t value = 0xcbf29ce484222325;

    void add(std::string_view signature) {
        for (const char byte : signature) value = (value ^ std::uint8_t(byte)) * 0x100000001b3;
        value = (value ^ signature.size()) * 0x100000001b3;
    }
};

// --- one table, read, changed and written back ---

template <typename Family>
class Table {
  public:
    using Entry = typename Family::Entry;

    explicit Table(const std::string& name) : name_(name), handle_(Family::init(name.c_str()), Family::free) {
        if (handle_ == nullptr) fail_to_open(errno);
    }

    // False when somebody else has changed the table meanwhile.
    bool write(const std::vector<Chain>& chains, const IsOwn& is_own) {
        std::vector<std::string> unwanted = is_own ? leftovers(chains, is_own) : std::vector<std::string>();
        // A rule can only lead to a chain that is there.
        for (const Chain& chain : chains) {
            const bool is_there = has_chain(chain.name);
            if (!chain.rules.empty() && !is_there)
                check(Family::create_chain(chain.name.c_str(), handle_.get()));
            if (chain.rules.empty() && is_there) unwanted.push_back(chain.name);
        }
        for (const Chain& chain : chains)
            if (!chain.rules.empty()) set_rules(chain);
        for (const Chain& chain : chains)
            if (!chain.jumps.empty()) set_jumps(chain, !chain.rules.empty());
        for (const std::string& name : unwanted) check(Family::flush(name.c_str(), handle_.get()));
        // One that a rule of somebody else leads to stays, and is empty.
        for (const std::string& name : unwanted) (void)Family::delete_chain(name.c_str(), handle_.get());
        if (!is_changed_) return true;
        if (Family::commit(handle_.get()) != 0) return true;
        if (errno == EAGAIN) return false;
        fail(errno);
    }

    [[nodiscard]] bool has(const Fingerprints& chains, const std::vector<Chain>& with_jumps) {
        for (const auto& [name, expected] : chains)
            if (!has_chain(name) || fingerprint_of(name) != expected) return false;
        for (const Chain& chain : with_jumps)
            for (const Jump& jump : chain.jumps)
                if (!has_jump(chain, jump)) return false;
        return true;
    }

    [[nodiscard]] Fingerprints take_written() { return std::move(written_); }
    [[nodiscard]] bool drops(const std::string& chain) {
        xt_counters counters{};
        const char* policy = Family::policy(chain.c_str(), &counters, handle_.get());
        return policy != nullptr && std::string_view(policy) == "DROP";
    }

  private:
    [[noreturn]] void fail_to_open(int error) const {
        const std::string what = std::string("the ") + name_ + " table of iptables" +
                                 (Family::family == AF_INET6 ? " for IPv6" : "");
        if (error == EPERM || error == EACCES)
            throw Error(Code::forbidden, what + " cannot be read: it takes root or CAP_NET_ADMIN");
        if (error == ENOENT || error == ENOPROTOOPT || error == EAFNOSUPPORT || error == EPROTONOSUPPORT)
            throw Error(Code::unsupported, what + " is not there: load the kernel's module " +
                                               Family::module + name_ +
                                               ", or take a kernel with the legacy tables");
        throw Error(Code::unavailable, what + " cannot be read: " + Family::problem(error));
    }
    [[noreturn]] void fail(int error) const {
        throw Error(error == ENOMEM ? Code::exhausted : Code::internal,
                    "cannot write the " + name_ + " table of iptables: " + Family::problem(error));
    }
    void check(int succeeded) {
        if (succeeded == 0) fail(errno);
        is_changed_ = true;
    }

    [[nodiscard]] bool has_chain(const std::string& name) {
        return Family::is_chain(name.c_str(), handle_.get()) != 0;
    }
    [[nodiscard]] std::vector<std::string> leftovers(const std::vector<Chain>& wanted, const IsOwn& is_own) {
        std::unordered_set<std::string_view> names;
        for (const Chain& chain : wanted) names.insert(chain.name);
        std::vector<std::string> result;
        for (const char* name = Family::first_chain(handle_.get()); name != nullptr;
             name = Family::next_chain(handle_.get()))
            if (is_own(name) && !names.contains(name)) result.emplace_back(name);
        return result;
    }
    [[nodiscard]] std::uint64_t fingerprint_of(const std::string& chain) {
        Fingerprint result;
        for_each_rule(chain,
                      [&](const Entry& entry) { result.add(signature<Family>(entry, target_of(&entry))); });
        return result.value;
    }
    [[nodiscard]] static std::uint64_t fingerprint_of(const std::vector<std::string>& signatures) {
        Fingerprint result;
        for (const std::string& one : signatures) result.add(one);
        return result.value;
    }
    [[nodiscard]] bool has_jump(const Chain& chain, const Jump& jump) {
        Bytes rule = encode<Family>(jump.rule);
        const std::string wanted = signature<Family>(*rule.template at<Entry>(0), chain.name);
        bool is_there = false;
        for_each_rule(jump.from, [&](const Entry& entry) {
            const std::string target = target_of(&entry);
            is_there |= target == chain.name && signature<Family>(entry, target) == wanted;
        });
        return is_there;
    }

    [[nodiscard]] std::string target_of(const Entry* entry) {
        const char* name = Family::target_of(entry, handle_.get());
        return name == nullptr ? std::string() : std::string(name);
    }
    template <typename Visit>
    void for_each_rule(const std::string& chain, Visit visit) {
        for (const Entry* entry = Family::first_rule(chain.c_str(), handle_.get()); entry != nullptr;
             entry = Family::next_rule(entry, handle_.get()))
            visit(*entry);
    }

    void insert(const std::string& chain, Bytes& rule, std::size_t position) {
        check(Family::insert(chain.c_str(), rule.template at<Entry>(0), unsigned(position), handle_.get()));
    }
    void remove_rule(const std::string& chain, std::size_t position) {
        check(Family::remove(chain.c_str(), unsigned(position), handle_.get()));
    }

    void set_rules(const Chain& chain) {
        std::vector<Bytes> wanted;
        std::vector<std::string> signatures;
        for (const Rule& rule : chain.rules) {
            wanted.push_back(encode<Family>(rule));
            signatures.push_back(signature<Family>(*wanted.back().template at<Entry>(0), rule.target));
        }
        written_[chain.name] = fingerprint_of(signatures);
        std::vector<std::string> present;
        present.reserve(signatures.size());
        for_each_rule(chain.name, [&](const Entry& entry) {
            present.push_back(signature<Family>(entry, target_of(&entry)));
        });
        if (present == signatures) return;
        keep_wanted(chain.name, present, signatures);
        for (std::size_t at = 0; at < wanted.size(); ++at) {
            if (at < present.size() && present[at] == signatures[at]) continue;
            insert(chain.name, wanted[at], at);
            present.insert(present.begin() + std::ptrdiff_t(at), signatures[at]);
        }
    }
    // Leaves of what is present only what is wanted, in the wanted order.
    void keep_wanted(const std::string& chain, std::vector<std::string>& present,
                     const std::vector<std::string>& wanted) {
        std::vector<bool> kept(present.size(), false);
        std::size_t next = 0;
        std::multiset<std::string_view> remaining(wanted.begin(), wanted.end());
        for (std::size_t at = 0; at < present.size(); ++at) {
            if (!remaining.contains(present[at])) continue;
            while (wanted[next] != present[at]) remaining.erase(remaining.find(wanted[next++]));
            remaining.erase(remaining.find(wanted[next++]));
            kept[at] = true;
        }
        for (std::size_t at = present.size(); at-- > 0;) {
            if (kept[at]) continue;
            remove_rule(chain, at);
            present.erase(present.begin() + std::ptrdiff_t(at));
        }
    }

    // Exactly the wanted jumps from the chains that may have some, each once and where it is already.
    void set_jumps(const Chain& chain, bool is_wanted) {
        for (const Jump& jump : chain.jumps) {
            Bytes rule = encode<Family>(jump.rule);
            const std::string wanted = signature<Family>(*rule.template at<Entry>(0), chain.name);
            std::vector<std::size_t> stale;
            bool is_there = false;
            std::size_t count = 0;
            for_each_rule(jump.from, [&](const Entry& entry) {
                const std::string target = target_of(&entry);
                const bool is_ours = target == chain.name;
                const bool is_right =
                    is_ours && is_wanted && !is_there && signature<Family>(entry, target) == wanted;
                if (is_ours && !is_right) stale.push_back(count);
                is_there |= is_right;
                ++count;
            });
            for (std::size_t at = stale.size(); at-- > 0;) remove_rule(jump.from, stale[at]);
            if (is_wanted && !is_there) insert(jump.from, rule, jump.is_first ? 0 : count - stale.size());
        }
    }

    std::string name_;
    std::unique_ptr<xtc_handle, void (*)(xtc_handle*)> handle_;
    bool is_changed_ = false;
    Fingerprints written_;
};

template <typename Family>
Fingerprints write_table(const std::string& name, const std::vector<Chain>& chains, const IsOwn& is_own) {
    for (int attempt = 0; attempt < commit_attempts; ++attempt) {
        Table<Family> table(name);
        if (table.write(chains, is_own)) return table.take_written();
    }
    throw Error(Code::unavailable, "another program keeps changing the " + name +
                                       " table of iptables without its lock; try again");
}

}  // namespace

FirewallLock::FirewallLock(const Host& host, const Call& call)
    : file_(::open(lock_path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (!file_)
        throw Error(Code::unavailable, std::string("cannot open ") + lock_path + ": " + std::strerror(errno));
    const auto end = std::chrono::steady_clock::now() + longest_wait;
    while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            throw Error(Code::unavailable,
                        std::string("cannot lock ") + lock_path + ": " + std::strerror(errno));
        call.check(host.monotonic());
        if (std::chrono::steady_clock::now() >= end)
            throw Error(Code::unavailable, std::string("another program keeps ") + lock_path +
                                               " locked: see who has it open, and try again");
        std::this_thread::sleep_for(look_interval);
    }
}

Fingerprints write_chains(int family, const std::string& table, const std::vector<Chain>& chains,
                          const IsOwn& is_own) {
    try {
        return family == AF_INET ? write_table<Four>(table, chains, is_own)
                                 : write_table<Six>(table, chains, is_own);
    } catch (const Error& error) {
        const bool is_empty =
            std::ranges::all_of(chains, [](const Chain& chain) { return chain.rules.empty(); });
        if (error.code() != Code::unsupported || !is_empty) throw;
        return {};
    }
}

bool has_chains(int family, const std::string& table, const Fingerprints& chains,
                const std::vector<Chain>& jumps) {
    return family == AF_INET ? Table<Four>(table).has(chains, jumps) : Table<Six>(table).has(chains, jumps);
}

bool is_table_used(int family, const std::string& table) {
    std::ifstream names(family == AF_INET ? "/proc/thread-self/net/ip_tables_names"
                                          : "/proc/thread-self/net/ip6_tables_names");
    for (std::string name; std::getline(names, name);)
        if (name == table) return true;
    return false;
}

std::string table_size(int family, const std::string& table) {
    const Descriptor socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    if (!socket)
        throw Error(Code::forbidden, std::string("cannot open a raw socket: ") + std::strerror(errno) +
                                         "; it takes CAP_NET_RAW");
    // Both families have the same.
    static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo) && IPT_SO_GET_INFO == IP6T_SO_GET_INFO);
    ipt_getinfo info{};
    std::strncpy(info.name, table.c_str(), sizeof info.name - 1);
    socklen_t size = sizeof info;
    const int level = family == AF_INET ? int(IPPROTO_IP) : int(IPPROTO_IPV6);
    if (::getsockopt(socket.get(), level, IPT_SO_GET_INFO, &info, &size) != 0) return {};
    return {reinterpret_cast<const char*>(&info), sizeof info};
}

bool drops_by_default(int family, const std::string& table, const std::string& chain) {
    return family == AF_INET ? Table<Four>(table).drops(chain) : Table<Six>(table).drops(chain);
}

}  // namespace keelson::stack
