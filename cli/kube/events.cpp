// keelctl events
#include <algorithm>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/printing.h"
#include "cli/kube/table.h"
#include "cli/kube/watch.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

std::string first_of(std::initializer_list<std::string> texts) {
    for (const std::string& text : texts)
        if (!text.empty()) return text;
    return "";
}

std::string last_seen(const Object& event) {
    const Object& series = member(event, "series");
    const std::string first = first_of({text_at(event, "firstTimestamp"), text_at(event, "eventTime")});
    const std::string last =
        first_of({text_at(series, "lastObservedTime"), text_at(event, "lastTimestamp"), first});
    const Object& count = member(series.is_object() ? series : event, "count");
    if (count.is_number_integer() && (count.get<std::int64_t>() > 1 || series.is_object()))
        return age_text(last) + " (x" + std::to_string(count.get<std::int64_t>()) + " over " +
               age_text(first) + ")";
    return age_text(first);
}

// When it was seen last, for the order of the lines.
std::string time_of(const Object& event) {
    return first_of({text_at(member(event, "series"), "lastObservedTime"), text_at(event, "lastTimestamp"),
                     text_at(event, "eventTime"), text_at(event, "firstTimestamp")});
}

class Events : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.flag("A,all-namespaces", everywhere_, "Events of all namespaces");
        flags.text("for", for_, "Only events of this object: TYPE[.VERSION][.GROUP]/NAME");
        flags.list("types", types_, "Only events of these types: Normal, Warning");
        flags.flag("w,watch", watches_, "Go on with events as they come");
        flags.flag("no-headers", has_no_headers_, "Leave the line of headings out");
        flags.number("chunk-size", chunk_size_, "Taken for the sake of scripts").is_hidden = true;
        add_print_flags(flags, print_);
    }

    Result<void> run(Session& session, const Words& /*words*/) override {
        const auto name = session.namespace_name();
        if (!name) return pass_on(name);
        const auto types = session.discovery();
        if (!types) return pass_on(types);
        const auto resource = (*types)->find_type("events");
        if (!resource) return pass_on(resource);
        if (auto good = read_object(**types); !good) return good;
        if (auto good = check_format(print_); !good) return good;
        const auto api = session.api();
        if (!api) return pass_on(api);
        ApiCall call{.path = (*resource)->path(everywhere_ ? "" : *name)};
        if (!fields_.empty()) call.query.emplace_back("fieldSelector", fields_);
        const auto list = (*api)->ask(call);
        if (!list) return pass_on(list);
        if (auto done = print_list(*list, *name); !done || !watches_) return done;
        return watch(**api, call, resource_version_of(*list),
                     [this](const WatchEvent& event) -> Result<bool> {
                         if (event.type != "DELETED" && event.type != "BOOKMARK" && is_chosen(event.object)) {
                             columns_.add(cells(event.object));
                             print(columns_.take(true));
                         }
                         const auto flushed = flush_output();
                         if (!flushed) return pass_on(flushed);
                         return true;
                     });
    }

  private:
    Result<void> read_object(const Discovery& types) {
        for (std::string& type : types_) {
            const std::string lower = lower_case(type);
            if (lower != "normal" && lower != "warning") return fail("valid --types are Normal or Warning");
            type = lower;
        }
        if (for_.empty()) return {};
        const std::size_t slash = for_.find('/');
        if (slash == std::string::npos) return fail("--for must be in resource/name form");
        const auto type = types.find_type(for_.substr(0, slash));
        if (!type) return pass_on(type);
        fields_ = "involvedObject.kind=" + (*type)->kind + ",involvedObject.name=" + for_.substr(slash + 1);
        return {};
    }

    bool is_chosen(const Object& event) const {
        return types_.empty() ||
               std::find(types_.begin(), types_.end(), lower_case(text_at(event, "type"))) != types_.end();
    }

    std::vector<std::string> cells(const Object& event) const {
        const Object& about = member(event, "involvedObject");
        std::vector<std::string> cells;
        if (everywhere_) cells.push_back(namespace_of(event));
        std::string message = text_at(event, "message");
        while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
        cells.insert(cells.end(),
                     {last_seen(event), text_at(event, "type"), text_at(event, "reason"),
                      text_at(about, "kind") + "/" + text_at(about, "name"), cell_text(message)});
        return cells;
    }

    Result<void> print_list(const Object& list, const std::string& namespace_name) {
        std::vector<Object> events;
        if (member(list, "items").is_array())
            for (Object event : member(list, "items")) {
                event["apiVersion"] = "v1";
                event["kind"] = "Event";
                if (is_chosen(event)) events.push_back(std::move(event));
            }
        std::stable_sort(events.begin(), events.end(),
                         [](const Object& a, const Object& b) { return time_of(a) < time_of(b); });
        if (events.empty() && !watches_) {
            warn(everywhere_ ? "No events found." : "No events found in " + namespace_name + " namespace.");
            return {};
        }
        if (!print_.is_for_people()) return print_objects(print_, std::move(events), false);
        if (!has_no_headers_ && !events.empty()) {
            std::vector<std::string> heading{"LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"};
            if (everywhere_) heading.insert(heading.begin(), "NAMESPACE");
            columns_.add(std::move(heading));
        }
        for (const Object& event : events) columns_.add(cells(event));
        print(columns_.take(true));
        return flush_output();
    }

    PrintFlags print_;
    bool everywhere_ = false;
    std::string for_;
    std::string fields_;
    std::vector<std::string> types_;
    bool watches_ = false;
    bool has_no_headers_ = false;
    std::int64_t chunk_size_ = 500;
    Columns columns_;
};

}  // namespace

void add_events_command(Registry& registry) {
    registry.add<Events>(
        "events", "Basic Commands", "[(-o|--output=)json|yaml|...] [--for TYPE/NAME] [--watch] [options]",
        "List what happened lately", "  keelctl events -A\n  keelctl events --for pod/a --watch");
}

}  // namespace keelson::cli::kube
