// keelctl describe
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/describe/describe.h"
#include "cli/kube/command.h"
#include "cli/kube/resources.h"
#include "cli/output.h"
#include "cli/workloads/command_groups.h"

namespace keelson::cli::kube {
namespace {

class RelatedOfServer final : public describing::Related {
  public:
    explicit RelatedOfServer(Session& session) : session_(session) {}

    Result<Object> list(const std::string& type, const std::string& namespace_name,
                        const describing::ListQuery& query) override {
        const SelectFlags select{.labels = query.labels, .fields = query.fields};
        return ask(type, [&](const Resource& resource) {
            return ApiCall{.path = resource.path(namespace_name), .query = selector_query(&select)};
        });
    }

    Result<Object> get(const std::string& type, const std::string& namespace_name,
                       const std::string& name) override {
        return ask(type, [&](const Resource& resource) {
            return ApiCall{.path = resource.path(namespace_name, name)};
        });
    }

  private:
    Result<Object> ask(const std::string& type, const std::function<ApiCall(const Resource&)>& call_of) {
        const auto api = session_.api();
        if (!api) return pass_on(api);
        const auto types = session_.discovery();
        if (!types) return pass_on(types);
        const auto resource = (*types)->find_type(type);
        if (!resource) return pass_on(resource);
        auto answer = (*api)->ask(call_of(**resource));
        // Inside of a description it is one line.
        if (!answer)
            return fail(answer.error().refusal ? answer.error().refusal->message : answer.error().message);
        return answer;
    }

    Session& session_;
};

class Describe : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_selector_flag(flags, select_);
        add_all_namespaces_flag(flags, select_);
        flags.flag("show-events", shows_events_, "Also what happened to the object lately");
        flags.number("chunk-size", chunk_size_, "Taken for the sake of scripts");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.empty() && files_.filenames.empty() && files_.kustomize.empty())
            return tl::unexpected(whole(
                "You must specify the type of resource to describe. Use \"keelctl api-resources\" for a "
                "complete list of supported resources.\n"));
        const auto selection = select(session, {words.words, &files_, &select_, true});
        if (!selection) return pass_on(selection);
        const auto api = session.api();
        if (!api) return pass_on(api);
        RelatedOfServer related(session);
        Failures failures;
        for (const Item& item : selection->items) {
            const auto done = describe_item(**api, related, item, words.words.size() == 2);
            if (!done) failures.add(done.error());
        }
        for (const Listing& listing : selection->listings) {
            const auto done = describe_listing(**api, related, listing);
            if (!done) failures.add(done.error());
        }
        if (!has_printed_ && failures.empty() && selection->items.empty())
            say_nothing_found(session, *selection);
        return failures.result();
    }

  private:
    void print_one(describing::Related& related, const Object& object, const char* before,
                   const char* after) {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
        if (has_printed_) print(before);
        print(describing::describe(object, related, {.shows_events = shows_events_, .now = now}) + after);
        has_printed_ = true;
    }

    Result<void> describe_item(Api& api, describing::Related& related, const Item& item, bool may_be_prefix) {
        const auto object = api.ask({.path = item.path()});
        if (object) {
            print_one(related, *object, "\n\n", "");
            return {};
        }
        if (!may_be_prefix || !is_not_found(object.error())) return pass_on(object);
        const auto items = list_items(api, {item.resource, item.namespace_name}, nullptr);
        if (!items) return pass_on(items);
        bool is_found = false;
        for (const Item& one : *items) {
            if (!one.name.starts_with(item.name)) continue;
            print_one(related, one.object, "", "\n");
            is_found = true;
        }
        if (!is_found) return pass_on(object);
        return {};
    }

    Result<void> describe_listing(Api& api, describing::Related& related, const Listing& listing) {
        const auto items = list_items(api, listing, &select_);
        if (!items) return pass_on(items);
        for (const Item& item : *items) print_one(related, item.object, "\n\n", "");
        return {};
    }

    void say_nothing_found(Session& session, const Selection& selection) const {
        bool is_namespaced = false;
        for (const Listing& listing : selection.listings) is_namespaced |= listing.resource->is_namespaced;
        const auto name = session.namespace_name();
        if (is_namespaced && !select_.all_namespaces && name)
            warn("No resources found in " + *name + " namespace.");
        else
            warn("No resources found");
    }

    FileFlags files_;
    SelectFlags select_;
    bool shows_events_ = true;
    std::int64_t chunk_size_ = 500;
    bool has_printed_ = false;
};

}  // namespace

void add_describe_command(Registry& registry) {
    registry.add<Describe>(
        "describe", "Troubleshooting and Debugging Commands",
        "(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME) [options]", "Tell all about objects",
        "  keelctl describe nodes n1\n  keelctl describe pods/web\n  keelctl describe pod we\n"
        "  keelctl describe po -l app=web");
}

}  // namespace keelson::cli::kube
