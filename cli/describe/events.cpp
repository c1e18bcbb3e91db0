// Events about the object of a description.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

std::string trimmed(std::string text) {
    constexpr const char* kSpaces = " \t\r\n";
    text.erase(0, std::min(text.find_first_not_of(kSpaces), text.size()));
    text.erase(text.find_last_not_of(kSpaces) + 1);
    return text;
}

std::string interval(const Json& event, std::int64_t now) {
    const Json& event_time = at(event, {"eventTime"});
    const std::string since = age(event_time.is_null() ? at(event, {"firstTimestamp"}) : event_time, now);
    const Json& series = at(event, {"series"});
    if (series.is_object())
        return age(at(series, {"lastObservedTime"}), now) + " (x" + text(series, {"count"}) + " over " +
               since + ")";
    if (number(at(event, {"count"})) > 1)
        return age(at(event, {"lastTimestamp"}), now) + " (x" + text(event, {"count"}) + " over " + since +
               ")";
    return since;
}

}  // namespace

void write_event_list(Description& out, std::vector<Json> events, std::int64_t now) {
    if (events.empty()) return out.field(0, "Events", kNone);
    std::stable_sort(events.begin(), events.end(), [](const Json& left, const Json& right) {
        return text(left, {"lastTimestamp"}) < text(right, {"lastTimestamp"});
    });
    out.begin_section();
    out.line(0, "Events:");
    out.row(1, {"Type", "Reason", "Age", "From", "Message"});
    out.row(1, {"----", "------", "----", "----", "-------"});
    for (const Json& event : events) {
        std::string source = text(event, {"source", "component"});
        if (source.empty()) source = text(event, {"reportingComponent"});
        out.row(1, {text(event, {"type"}), text(event, {"reason"}), interval(event, now), source,
                    trimmed(text(event, {"message"}))});
    }
}

void write_events(const Context& context) {
    if (!context.options.shows_events) return;
    const std::string name = kube::name_of(context.object);
    const std::string space = kube::namespace_of(context.object);
    const std::string kind = text(context.object, {"kind"});
    std::vector<std::string> identities{text(context.object, {"metadata", "uid"})};
    // Agents of nodes name them by their names.
    if (kind == "Node") identities.insert(identities.begin(), name);
    std::vector<Json> events;
    for (const std::string& identity : identities) {
        std::string fields = "involvedObject.name=" + name + ",involvedObject.kind=" + kind +
                             ",involvedObject.uid=" + identity;
        if (!space.empty()) fields += ",involvedObject.namespace=" + space;
        const auto list = context.related.list("events", space, {.fields = fields});
        if (!list) continue;
        for (const Json& event : at(*list, {"items"})) events.push_back(event);
    }
    write_event_list(context.out, std::move(events), context.options.now);
}

}  // namespace keelson::cli::describing
