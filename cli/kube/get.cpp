// keelctl get
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/printing.h"
#include "cli/kube/raw.h"
#include "cli/kube/resources.h"
#include "cli/kube/sorting.h"
#include "cli/kube/table.h"
#include "cli/kube/watch.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kTables =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,"
    "application/json";

class Get : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_selector_flag(flags, select_);
        add_field_selector_flag(flags, select_);
        add_all_namespaces_flag(flags, select_);
        add_print_flags(flags, print_);
        flags.flag("w,watch", watches_, "Go on with changes as they come");
        flags.flag("watch-only", watches_only_, "Only changes, not what is there now");
        flags.flag("output-watch-events", shows_events_, "With a watch: tell what became of each object");
        flags.number("chunk-size", chunk_size_, "How many objects to ask for at once; 0: all");
        flags.flag("ignore-not-found", ignores_missing_, "It is no error when there is none");
        flags.text("raw", raw_, "Print what the server has at this path");
        flags.text("subresource", subresource_, "Only this part of the object, such as status or scale");
        flags.flag("no-headers", has_no_headers_, "Leave the line of headings out");
        flags.flag("show-labels", table_.shows_labels, "A last column with all labels");
        flags.list("L,label-columns", table_.label_columns, "A column for each of these labels");
        flags.flag("show-kind", shows_kind_, "Names with their type before them");
        flags.text("sort-by", sort_by_, "In the order of this field, such as .metadata.name");
        flags.flag("server-print", server_prints_,
                   "Each type has the columns that the server has for it; =false: names and ages alone");
    }

    Result<void> run(Session& session, const Words& words) override {
        const auto api = session.api();
        if (!api) return pass_on(api);
        api_ = *api;
        if (!raw_.empty()) return print_raw(words.words);
        if (words.words.empty() && files_.filenames.empty() && files_.kustomize.empty())
            return tl::unexpected(whole(
                "You must specify the type of resource to get. Use \"keelctl api-resources\" for a complete "
                "list of supported resources.\n\nerror: Required resource not specified.\nUse \"keelctl "
                "explain "
                "<resource>\" for a detailed description of that resource (e.g. keelctl explain pods).\nSee "
                "'keelctl get -h' for help and examples"));
        print_.has_headers = !has_no_headers_;
        if (auto good = check_format(print_); !good) return good;
        const auto selection = kube::select(session, {words.words, &files_, &select_, true});
        if (!selection) return pass_on(selection);
        if (watches_ || watches_only_) return watch_selection(*selection);
        return print_.is_for_people() ? print_tables(session, *selection) : print_all(*selection);
    }

  private:
    Result<void> print_raw(const std::vector<std::string>& words) {
        if (watches_ || watches_only_ || !select_.labels.empty() || !select_.fields.empty())
            return fail(
                "--raw may not be specified with other flags that filter the server request or alter the "
                "output");
        if (!print_.output.empty()) return fail("--raw and --output are mutually exclusive");
        if (!words.empty()) return fail("arguments may not be passed when --raw is specified");
        if (auto good = check_raw_path(raw_); !good) return good;
        auto done = api_->stream({.path = raw_}, [](std::string_view piece) { return print(piece); });
        return done;
    }

    std::string path_of(const Item& item) const {
        return item.path() + (subresource_.empty() ? "" : "/" + subresource_);
    }

    // Tables are the server's, or made here of what it sends.
    std::string accept_for_tables() const { return server_prints_ ? kTables : "application/json"; }
    Object as_table(Object document) const {
        return server_prints_ ? std::move(document) : table_of_objects(std::move(document));
    }

    Query page_query(const std::string& next) const {
        Query query = selector_query(&select_);
        if (chunk_size_ > 0 && sort_by_.empty()) query.emplace_back("limit", std::to_string(chunk_size_));
        if (!next.empty()) query.emplace_back("continue", next);
        if (!sort_by_.empty() && print_.is_for_people() && server_prints_)
            query.emplace_back("includeObject", "Object");
        return query;
    }

    // Every page of a listing goes to the sink.
    Result<void> each_page(const Listing& listing, const std::string& accept,
                           const std::function<void(Object page)>& sink) {
        std::string next;
        do {
            Query query = page_query(next);
            auto page = api_->ask(
                {.path = listing.resource->path(listing.namespace_name), .query = query, .accept = accept});
            if (!page) return tl::unexpected(list_failure(page.error(), *listing.resource, &select_));
            next = text_at(member(*page, "metadata"), "continue");
            sink(std::move(*page));
        } while (!next.empty());
        return {};
    }

    // Tables of one type after another, a blank line between them.
    Result<void> print_tables(Session& session, const Selection& selection) {
        Failures failures;
        const bool are_several = has_several_types(selection);
        const Resource* type = nullptr;
        std::vector<Object> tables;
        const auto finish_type = [&] {
            if (!sort_by_.empty() && !tables.empty())
                if (const auto sorted = sort_rows(tables, sort_by_); !sorted) failures.add(sorted.error());
            if (type != nullptr) print_table_of(*type, tables, are_several);
            tables.clear();
        };
        const auto start_type = [&](const Resource* next) {
            if (next != type) finish_type();
            type = next;
        };
        for (const Item& item : selection.items) {
            Query query;
            if (!sort_by_.empty() && server_prints_) query.emplace_back("includeObject", "Object");
            auto table = api_->ask({.path = path_of(item), .query = query, .accept = accept_for_tables()});
            if (!table) {
                if (!ignores_missing_ || !is_not_found(table.error())) failures.add(table.error());
                continue;
            }
            start_type(item.resource);
            tables.push_back(as_table(std::move(*table)));
        }
        for (const Listing& listing : selection.listings) {
            start_type(listing.resource);
            const auto done = each_page(listing, accept_for_tables(),
                                        [&](Object page) { tables.push_back(as_table(std::move(page))); });
            if (!done && !(ignores_missing_ && is_not_found(done.error()))) failures.add(done.error());
        }
        finish_type();
        if (!has_printed_ && failures.empty() && !ignores_missing_) say_nothing_found(session, selection);
        return failures.result();
    }

    static bool has_several_types(const Selection& selection) {
        std::vector<const Resource*> types;
        for (const Item& item : selection.items) types.push_back(item.resource);
        for (const Listing& listing : selection.listings) types.push_back(listing.resource);
        return std::any_of(types.begin(), types.end(),
                           [&](const Resource* type) { return type != types.front(); });
    }

    TableOptions options_for(const Resource& type, bool are_several) const {
        TableOptions options = table_;
        options.is_wide = print_.output == "wide";
        options.has_headers = !has_no_headers_;
        options.shows_namespace = select_.all_namespaces && type.is_namespaced;
        if (shows_kind_ || are_several) options.kind = type.kind_text();
        return options;
    }

    void print_table_of(const Resource& type, const std::vector<Object>& tables, bool are_several) {
        const bool is_empty = std::all_of(tables.begin(), tables.end(), [](const Object& table) {
            return !member(table, "rows").is_array() || member(table, "rows").empty();
        });
        if (is_empty) return;
        TableText text(options_for(type, are_several));
        for (const Object& table : tables) text.add(table);
        if (has_printed_) print("\n");
        print(text.take());
        has_printed_ = true;
    }

    void say_nothing_found(Session& session, const Selection& selection) {
        // Without the server's tables kubectl does not look at the types.
        const bool is_namespaced =
            !server_prints_ ||
            std::any_of(selection.listings.begin(), selection.listings.end(),
                        [](const Listing& listing) { return listing.resource->is_namespaced; });
        const auto name = session.namespace_name();
        if (!select_.all_namespaces && is_namespaced && name)
            warn("No resources found in " + *name + " namespace.");
        else
            warn("No resources found");
    }

    Result<void> print_all(const Selection& selection) {
        Failures failures;
        std::vector<Object> objects;
        for (const Item& item : selection.items) {
            auto object = api_->ask({.path = path_of(item)});
            if (object)
                objects.push_back(std::move(*object));
            else if (!ignores_missing_ || !is_not_found(object.error()))
                failures.add(object.error());
        }
        for (const Listing& listing : selection.listings) {
            auto done = each_page(listing, "application/json", [&](Object page) {
                if (!page.contains("items") || !page["items"].is_array()) return;
                for (Object& object : page["items"]) {
                    object["apiVersion"] = listing.resource->api_version();
                    object["kind"] = listing.resource->kind;
                    objects.push_back(std::move(object));
                }
            });
            if (!done) failures.add(done.error());
        }
        if (!sort_by_.empty())
            if (auto sorted = sort_objects(objects, sort_by_); !sorted) return sorted;
        const bool has_nothing = objects.empty() && selection.listings.empty();
        if (!has_nothing)
            if (auto done = print_objects(print_, std::move(objects), selection.is_single); !done)
                return done;
        return failures.result();
    }

    // One object by its name, or one listing.
    Result<ApiCall> call_to_watch(const Selection& selection) const {
        if (selection.items.size() + selection.listings.size() != 1)
            return fail("you may only specify a single resource type when watching");
        ApiCall call;
        if (print_.is_for_people()) call.accept = accept_for_tables();
        call.query = selector_query(&select_);
        if (selection.items.empty()) {
            const Listing& listing = selection.listings.front();
            call.path = listing.resource->path(listing.namespace_name);
            return call;
        }
        const Item& item = selection.items.front();
        call.path = item.resource->path(item.namespace_name);
        call.query.emplace_back("fieldSelector", "metadata.name=" + item.name);
        return call;
    }

    Result<void> watch_selection(const Selection& selection) {
        auto call = call_to_watch(selection);
        if (!call) return pass_on(call);
        const Resource& type = selection.items.empty() ? *selection.listings.front().resource
                                                       : *selection.items.front().resource;
        TableText text(options_for(type, false));
        if (!selection.items.empty())
            if (const auto there = api_->send({.path = selection.items.front().path()}); !there)
                return pass_on(there);
        const auto first = api_->ask(*call);
        if (!first) return pass_on(first);
        if (!watches_only_)
            if (auto done = print_first(*first, text); !done) return done;
        return kube::watch(*api_, *call, resource_version_of(*first),
                           [&](const WatchEvent& event) { return print_event(event, text); });
    }

    Result<void> print_first(const Object& list, TableText& text) {
        if (print_.is_for_people()) {
            const Object table = as_table(list);
            if (!member(table, "rows").empty()) text.add(table);
            print(text.take(true));
        } else if (member(list, "items").is_array()) {
            for (Object object : member(list, "items")) {
                object["apiVersion"] = text_at(list, "apiVersion");
                std::string kind = text_at(list, "kind");
                object["kind"] = kind.ends_with("List") ? kind.substr(0, kind.size() - 4) : kind;
                if (auto done = print_one("ADDED", std::move(object)); !done) return done;
            }
        }
        return flush_output();
    }

    Result<bool> print_event(const WatchEvent& event, TableText& text) {
        if (event.type == "BOOKMARK") return true;
        if (print_.is_for_people()) {
            text.add(as_table(event.object));
            print(text.take(true));
        } else if (const auto done = print_one(event.type, event.object); !done) {
            return pass_on(done);
        }
        const auto flushed = flush_output();
        if (!flushed) return pass_on(flushed);
        return true;
    }

    Result<void> print_one(const std::string& type, Object object) {
        if (shows_events_) object = {{"type", type}, {"object", std::move(object)}};
        const auto text = format_object(print_, std::move(object));
        if (!text) return pass_on(text);
        if (print_.output == "yaml" && std::exchange(has_printed_, true)) print("---\n");
        print(*text);
        return {};
    }

    Api* api_ = nullptr;
    FileFlags files_;
    SelectFlags select_;
    PrintFlags print_;
    TableOptions table_;
    bool watches_ = false;
    bool watches_only_ = false;
    bool shows_events_ = false;
    std::int64_t chunk_size_ = 500;
    bool ignores_missing_ = false;
    std::string raw_;
    std::string subresource_;
    bool has_no_headers_ = false;
    bool shows_kind_ = false;
    std::string sort_by_;
    bool server_prints_ = true;
    bool has_printed_ = false;
};

}  // namespace

void add_get_command(Registry& registry) {
    registry.add<Get>(
        "get", "Basic Commands",
        "[(-o|--output=)json|yaml|name|wide|...] (TYPE[.VERSION][.GROUP] [NAME | -l label] | "
        "TYPE[.VERSION][.GROUP]/NAME ...) [flags] [options]",
        "Show objects",
        "  keelctl get pods\n  keelctl get deployment.v1.apps/web -o yaml\n  keelctl get all -A");
}

}  // namespace keelson::cli::kube
