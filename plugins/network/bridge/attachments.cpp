#include "attachments.h"

#include <algorithm>

#include "host_rules.h"

namespace keelson::bridge {
namespace {

std::string with_length(const Address& address, const Prefix& prefix) {
    return address.text() + "/" + std::to_string(prefix.length);
}

// Whether a sandbox could have got these from these prefixes.
bool fits(const Attachment& attachment, const std::vector<Prefix>& prefixes) {
    if (attachment.addresses.size() != prefixes.size()) return false;
    for (std::size_t at = 0; at < prefixes.size(); ++at) {
        const Prefix own = address_with_length(attachment.addresses[at]);
        if (own.length != prefixes[at].length || !prefixes[at].contains(own.address)) return false;
    }
    return true;
}

std::string list_of(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::vector<std::string> texts_of(const std::vector<Prefix>& prefixes) {
    std::vector<std::string> texts;
    for (const Prefix& prefix : prefixes) texts.push_back(prefix.text());
    return texts;
}

}  // namespace

Prefix address_with_length(const std::string& text) {
    const std::size_t slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    const auto prefix = parse_prefix(text);
    if (!address || !prefix) throw Error(Code::invalid, "\"" + text + "\" is no address of a pod");
    return {*address, prefix->length};
}

Attachments::Attachments(RecordFile file, std::string& problem) : file_(std::move(file)) {
    try {
        Records records = file_.read();
        for (const auto& [id, attachment] : records.sandboxes)
            for (const std::string& address : attachment.addresses) (void)address_with_length(address);
        records_ = std::move(records);
    } catch (const Error& error) {
        if (error.code() != Code::invalid) throw;
        problem = error.what();
    }
}

void Attachments::adopt(const std::string& sandbox_id, const std::vector<std::string>& addresses) {
    if (addresses.empty() || records_.sandboxes.contains(sandbox_id)) return;
    for (const std::string& address : addresses) (void)address_with_length(address);
    records_.sandboxes[sandbox_id] = {addresses, {}};
}

void Attachments::set_prefixes(const std::vector<Prefix>& prefixes) {
    for (const auto& [id, attachment] : records_.sandboxes)
        if (!fits(attachment, prefixes))
            throw Error(Code::conflict,
                        "the node's pod CIDRs cannot become " + list_of(texts_of(prefixes)) + " while " +
                            std::to_string(records_.sandboxes.size()) +
                            " pods are attached with others (sandbox " + id + " has " +
                            list_of(attachment.addresses) + "): drain the node first",
                        "node.podCidrs");
    const bool is_same = std::ranges::equal(pools_, prefixes, {}, &AddressPool::prefix);
    if (is_same) return;
    std::vector<AddressPool> pools(prefixes.begin(), prefixes.end());
    for (std::size_t at = 0; at < pools.size(); ++at) {
        for (const auto& [id, attachment] : records_.sandboxes)
            pools[at].mark_taken(address_with_length(attachment.addresses[at]).address);
        for (const std::string& text : records_.freed)
            if (const auto address = parse_address(text)) pools[at].restore_freed(*address);
        pools[at].finish_restoring();
    }
    pools_ = std::move(pools);
}

const Attachment* Attachments::find(const std::string& sandbox_id) const {
    const auto found = records_.sandboxes.find(sandbox_id);
    return found == records_.sandboxes.end() ? nullptr : &found->second;
}

void Attachments::check_free(const std::string& sandbox_id,
                             const std::vector<pod_network::HostPort>& ports) const {
    if (ports.empty()) return;
    for (const auto& [id, attachment] : records_.sandboxes) {
        if (id == sandbox_id) continue;
        for (const pod_network::HostPort& port : ports)
            for (const pod_network::HostPort& other : attachment.host_ports)
                if (is_conflict(port, other))
                    throw Error(Code::conflict,
                                "host port " + std::to_string(port.host_port) + "/" + port.protocol +
                                    " is in use by sandbox " + id + ": wait until its pod is gone",
                                "hostPorts");
    }
}

void Attachments::save(Records records, std::vector<AddressPool> pools) {
    if (!pools.empty()) {
        records.freed.clear();
        for (const AddressPool& pool : pools)
            for (const Address& address : pool.freed()) records.freed.push_back(address.text());
    }
    file_.write(records);
    records_ = std::move(records);
    pools_ = std::move(pools);
}

void Attachments::add(const std::string& sandbox_id, const std::vector<pod_network::HostPort>& ports) {
    Records records = records_;
    std::vector<AddressPool> pools = pools_;
    Attachment attachment{{}, ports};
    for (AddressPool& pool : pools) attachment.addresses.push_back(with_length(pool.take(), pool.prefix()));
    records.sandboxes[sandbox_id] = std::move(attachment);
    save(std::move(records), std::move(pools));
}

void Attachments::set_host_ports(const std::string& sandbox_id,
                                 const std::vector<pod_network::HostPort>& ports) {
    Records records = records_;
    records.sandboxes.at(sandbox_id).host_ports = ports;
    save(std::move(records), pools_);
}

void Attachments::remove(const std::string& sandbox_id) {
    Records records = records_;
    std::vector<AddressPool> pools = pools_;
    const auto found = records.sandboxes.find(sandbox_id);
    if (found == records.sandboxes.end()) return;
    for (const std::string& text : found->second.addresses) {
        const Address address = address_with_length(text).address;
        for (AddressPool& pool : pools) pool.give_back(address);
        if (pools.empty()) records.freed.push_back(address.text());
    }
    records.sandboxes.erase(found);
    save(std::move(records), std::move(pools));
}

}  // namespace keelson::bridge
