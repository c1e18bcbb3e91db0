// keelctl wait
#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/printing.h"
#include "cli/kube/watch.h"
#include "cli/output.h"
#include "cli/print/jsonpath.h"

namespace keelson::cli::kube {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kWeek = 7LL * 24 * 3600 * kSecond;

std::int64_t number_at(const Object& object, std::string_view name) {
    const Object& found = member(object, name);
    return found.is_number_integer() ? found.get<std::int64_t>() : 0;
}

// What is waited for. Nothing is met by an object that is not there, but its deletion.
class Condition {
  public:
    static Result<Condition> parse(const std::string& text) {
        Condition condition;
        const std::string lower = lower_case(text);
        if (lower == "delete" || lower == "create") {
            condition.kind_ = lower == "delete" ? Kind::deleted : Kind::created;
            return condition;
        }
        if (text.starts_with("condition=")) {
            const std::string rest = text.substr(10);
            const std::size_t equals = rest.find('=');
            condition.kind_ = Kind::condition;
            condition.name_ = rest.substr(0, equals);
            condition.value_ = equals == std::string::npos ? "true" : lower_case(rest.substr(equals + 1));
            return condition;
        }
        if (text.starts_with("jsonpath=")) return parse_path(text.substr(9));
        return fail("unrecognized condition: \"" + text + "\"");
    }

    [[nodiscard]] bool is_deletion() const { return kind_ == Kind::deleted; }
    [[nodiscard]] bool is_creation() const { return kind_ == Kind::created; }

    Result<bool> is_met(const Object& object) const {
        if (kind_ == Kind::deleted) return object.is_null();
        if (object.is_null()) return false;
        if (kind_ == Kind::created) return true;
        return kind_ == Kind::condition ? has_condition(object) : has_value(object);
    }

  private:
    enum class Kind { deleted, created, condition, path };

    // PATH or PATH=VALUE; equals signs inside of braces belong to the path.
    static Result<Condition> parse_path(const std::string& text) {
        Condition condition;
        condition.kind_ = Kind::path;
        if (text.empty()) return fail("jsonpath expression cannot be empty");
        std::size_t end = text.rfind('}');
        end = end == std::string::npos ? text.find('=') : text.find('=', end);
        std::string path = text.substr(0, end);
        if (path.size() > 1 && (path.front() == '\'' || path.front() == '"') && path.back() == path.front())
            path = path.substr(1, path.size() - 2);
        condition.has_any_value_ = end == std::string::npos;
        if (!condition.has_any_value_) {
            condition.value_ = text.substr(end + 1);
            if (condition.value_.find('=') != std::string::npos)
                return fail(
                    "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or "
                    "--for=jsonpath='{.status.readyReplicas}'");
            if (condition.value_.empty())
                return fail(
                    "jsonpath wait has to have a value after equal sign, like "
                    "--for=jsonpath='{.status.readyReplicas}'=3");
        }
        const auto relaxed = printing::relaxed_path(path);
        if (!relaxed) return pass_on(relaxed);
        auto parsed = printing::JsonPath::parse(*relaxed);
        if (!parsed) return pass_on(parsed);
        condition.path_ = std::make_shared<const printing::JsonPath>(std::move(*parsed));
        return condition;
    }

    bool has_condition(const Object& object) const {
        const Object& conditions = member(object, {"status", "conditions"});
        if (!conditions.is_array()) return false;
        const std::int64_t generation = number_at(member(object, "metadata"), "generation");
        for (const Object& one : conditions) {
            if (lower_case(text_at(one, "type")) != lower_case(name_)) continue;
            std::int64_t observed = number_at(one, "observedGeneration");
            if (observed == 0) observed = number_at(member(object, "status"), "observedGeneration");
            if (observed != 0 && observed < generation) return false;
            return lower_case(text_at(one, "status")) == value_;
        }
        return false;
    }

    Result<bool> has_value(const Object& object) const {
        const auto found = path_->find(object, true);
        if (!found) return pass_on(found);
        if (found->parts.empty() || found->parts.front().empty()) return false;
        const Object& value = *found->parts.front().front();
        if (has_any_value_) return true;
        if (found->parts.front().size() > 1)
            return fail("given jsonpath expression matches more than one value");
        if (value.is_structured())
            return fail("jsonpath leads to a nested object or array which is not supported");
        return (value.is_string() ? value.get<std::string>() : value.dump()) == value_;
    }

    Kind kind_ = Kind::condition;
    std::string name_;
    std::string value_;
    bool has_any_value_ = false;
    std::shared_ptr<const printing::JsonPath> path_;
};

class Wait : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_selector_flag(flags, select_);
        add_field_selector_flag(flags, select_);
        add_all_namespaces_flag(flags, select_);
        add_all_flag(flags, select_);
        add_print_flags(flags, print_);
        flags.text("for", for_,
                   "For what: create, delete, condition=NAME[=VALUE] or jsonpath='{PATH}'[=VALUE]");
        flags.duration("timeout", timeout_, "How long; 0: look once; below 0: a week");
    }

    Result<void> run(Session& session, const Words& words) override {
        const auto condition = Condition::parse(for_);
        if (!condition) return pass_on(condition);
        const auto api = session.api();
        if (!api) return pass_on(api);
        deadline_ =
            std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout_ < 0 ? kWeek : timeout_);
        bool has_any = false;
        const auto work = [&](Item& item) {
            has_any = true;
            return wait_for(**api, item, *condition);
        };
        auto done = for_each_named(session, {words.words, &files_, &select_}, work);
        if (!done) return done;
        if (!has_any && !condition->is_deletion()) return fail("no matching resources found");
        return {};
    }

  private:
    Result<void> wait_for(Api& api, Item& item, const Condition& condition) {
        const auto now = api.ask({.path = item.path()});
        if (!now && (!is_not_found(now.error()) || (!condition.is_deletion() && !condition.is_creation())))
            return pass_on(now);
        // Nothing is said of what was not there from the beginning.
        if (!now && condition.is_deletion()) return {};
        std::string uid;
        if (now) {
            item.object = *now;
            uid = text_at(member(*now, "metadata"), "uid");
            const auto is_met = condition.is_met(*now);
            if (!is_met) return pass_on(is_met);
            if (*is_met) return print_change(print_, item, "condition met");
        }
        if (timeout_ == 0) return fail("condition not met for " + item.resource->plural + "/" + item.name);
        auto done = watch_object(
            api, item.resource->path(item.namespace_name), item.name,
            [&](const Object& object) -> Result<bool> {
                // Another object of this name is not the one that is to go.
                if (condition.is_deletion() && text_at(member(object, "metadata"), "uid") != uid) return true;
                if (!object.is_null()) item.object = object;
                return condition.is_met(object);
            },
            deadline_);
        if (!done && done.error().is_timeout)
            return fail("timed out waiting for the condition" +
                        (condition.is_creation() ? "" : " on " + item.resource->plural + "/" + item.name));
        if (!done) return done;
        return print_change(print_, item, "condition met");
    }

    FileFlags files_;
    SelectFlags select_;
    PrintFlags print_;
    std::string for_;
    std::int64_t timeout_ = 30 * kSecond;
    Deadline deadline_;
};

}  // namespace

void add_wait_command(Registry& registry) {
    registry.add<Wait>(
        "wait", "Advanced Commands",
        "([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) "
        "[--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]] [options]",
        "Wait until objects have come to a state",
        "  keelctl wait --for=condition=Ready pod/a\n  keelctl wait --for=delete pod/a --timeout=60s\n"
        "  keelctl wait --for=jsonpath='{.status.phase}'=Running pod/a");
}

}  // namespace keelson::cli::kube
