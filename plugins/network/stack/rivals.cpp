#include "stack/rivals.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>

#include <set>

#include "keelson/error.hpp"
#include "stack/netlink.h"

namespace keelson::stack {
namespace {

const char* family_name(int family) {
    return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

bool is_of_interest(const nfgenmsg& head, nlattr** found) {
    const bool is_internet = head.nfgen_family == NFPROTO_IPV4 || head.nfgen_family == NFPROTO_IPV6 ||
                             head.nfgen_family == NFPROTO_INET;
    if (!is_internet || found[NFTA_CHAIN_TYPE] == nullptr || found[NFTA_CHAIN_HOOK] == nullptr) return false;
    if (std::string(nla_get_string(found[NFTA_CHAIN_TYPE])) != "nat") return false;
    // iptables-nft leaves empty chains behind when it is only asked.
    if (found[NFTA_CHAIN_USE] == nullptr || ntohl(nla_get_u32(found[NFTA_CHAIN_USE])) == 0) return false;
    nlattr* hook[NFTA_HOOK_MAX + 1] = {};
    nla_parse_nested(hook, NFTA_HOOK_MAX, found[NFTA_CHAIN_HOOK], nullptr);
    if (hook[NFTA_HOOK_HOOKNUM] == nullptr) return false;
    const std::uint32_t number = ntohl(nla_get_u32(hook[NFTA_HOOK_HOOKNUM]));
    return number == NF_INET_PRE_ROUTING || number == NF_INET_LOCAL_OUT;
}

}  // namespace

std::string find_rivals() {
    std::set<std::string> tables;
    try {
        Netlink netlink(NETLINK_NETFILTER);
        Message message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP);
        nfgenmsg question{};
        question.nfgen_family = NFPROTO_UNSPEC;
        message.header(question);
        netlink.ask(message, "list the chains of nftables", [&](nlmsghdr* header) {
            const auto* head = static_cast<const nfgenmsg*>(nlmsg_data(header));
            nlattr* found[NFTA_CHAIN_MAX + 1] = {};
            nlmsg_parse(header, sizeof *head, found, NFTA_CHAIN_MAX, nullptr);
            if (!is_of_interest(*head, found)) return;
            tables.insert(std::string(family_name(head->nfgen_family)) + " " +
                          nla_get_string(found[NFTA_CHAIN_TABLE]));
        });
    } catch (const Error&) {
        return {};  // a kernel without nftables has no rules there
    }
    if (tables.empty()) return {};
    std::string text;
    for (const std::string& table : tables) text += (text.empty() ? "" : ", ") + table;
    return "nftables translates addresses too (table " + text +
           "): what its rules take does not come to services; make one of both the only one that translates, "
           "or see with \"nft list ruleset\" that they mean other addresses";
}

}  // namespace keelson::stack
