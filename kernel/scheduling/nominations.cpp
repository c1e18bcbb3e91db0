#include "kernel/scheduling/nominations.h"

namespace keelson::scheduling {

void Nominations::set(const PodPointer& pod, const std::string& node) {
    const std::string target = node;  // may live in what remove() drops
    remove(pod->uid);
    if (target.empty()) return;
    nodes_[pod->uid] = target;
    pods_[target].push_back(pod);
}

void Nominations::remove(const std::string& uid) {
    const auto found = nodes_.find(uid);
    if (found == nodes_.end()) return;
    const auto pods = pods_.find(found->second);
    const std::string gone = uid;
    nodes_.erase(found);
    std::erase_if(pods->second, [&](const PodPointer& pod) { return pod->uid == gone; });
    if (pods->second.empty()) pods_.erase(pods);
}

const std::vector<PodPointer>& Nominations::on(const std::string& node) const {
    static const std::vector<PodPointer> kNone;
    const auto found = pods_.find(node);
    return found == pods_.end() ? kNone : found->second;
}

const std::string& Nominations::node_of(const std::string& uid) const {
    static const std::string kNone;
    const auto found = nodes_.find(uid);
    return found == nodes_.end() ? kNone : found->second;
}

}  // namespace keelson::scheduling
