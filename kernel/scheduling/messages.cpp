#include "kernel/scheduling/messages.h"

#include <algorithm>
#include <map>

namespace keelson::scheduling {

void Diagnosis::reset(std::size_t slots) {
    for (std::uint32_t slot : refused_)
        if (slot < verdicts_.size()) verdicts_[slot] = Verdict();
    verdicts_.resize(slots);
    refused_.clear();
    plugins = PluginSet();
    absent_reasons.clear();
    before.clear();
    after.clear();
}

void Diagnosis::refuse(std::uint32_t slot, Verdict verdict) {
    if (verdicts_[slot].fits()) refused_.push_back(slot);
    verdicts_[slot] = verdict;
    plugins.insert(verdict.plugin);
}

std::string fit_message(const Diagnosis& diagnosis, std::size_t nodes, const Reasons& reasons) {
    std::string text = "0/" + std::to_string(nodes) + " nodes are available:";
    if (!diagnosis.before.empty()) {
        text += " " + diagnosis.before + ".";
    } else {
        std::map<Reasons::Id, std::size_t> by_id;
        for (std::uint32_t slot : diagnosis.refused_slots()) ++by_id[diagnosis.of(slot).reasons];
        std::map<std::string, std::size_t> counts;
        for (const auto& [id, count] : by_id)
            for (const std::string& sentence : reasons.sentences(id)) counts[sentence] += count;
        if (diagnosis.refused() < nodes)
            for (const std::string& sentence : diagnosis.absent_reasons)
                counts[sentence] += nodes - diagnosis.refused();
        std::vector<std::string> lines;
        for (const auto& [sentence, count] : counts) lines.push_back(std::to_string(count) + " " + sentence);
        std::sort(lines.begin(), lines.end());
        std::string separator = " ";
        for (const std::string& line : lines) {
            text += separator + line;
            separator = ", ";
        }
        if (!lines.empty()) text += ".";
    }
    if (!diagnosis.after.empty()) text += " " + diagnosis.after;
    return text;
}

std::string event_note(std::string message) {
    constexpr std::size_t kMost = 1024;
    constexpr std::string_view kMark = " ...";
    if (message.size() <= kMost) return message;
    message.resize(kMost - kMark.size());
    return message.append(kMark);
}

}  // namespace keelson::scheduling
