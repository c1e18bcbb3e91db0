#include "cli/kube/resources.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace keelson::cli::kube {
namespace {

constexpr const char* kPageSize = "500";

std::vector<std::string> split_commas(const std::string& text) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

struct Selector {
    Session& session;
    const Wanted& wanted;
    Selection selection{};
    std::string namespace_name{};

    [[nodiscard]] bool has_selector() const {
        return wanted.select != nullptr && (!wanted.select->labels.empty() || !wanted.select->fields.empty());
    }
    [[nodiscard]] bool takes_all() const { return wanted.select != nullptr && wanted.select->all; }
    [[nodiscard]] bool is_everywhere() const {
        return wanted.select != nullptr && wanted.select->all_namespaces;
    }

    Item item(const Resource& resource, const std::string& name) {
        return {.resource = &resource,
                .namespace_name = resource.is_namespaced ? namespace_name : "",
                .name = name};
    }

    Result<const Discovery*> discovery() { return session.discovery(); }

    // "pod/a svc/b"
    Result<void> read_pairs() {
        const auto types = discovery();
        if (!types) return pass_on(types);
        for (const std::string& word : wanted.words) {
            const std::size_t slash = word.find('/');
            if (slash == std::string::npos)
                return fail(
                    "there is no need to specify a resource type as a separate argument when passing "
                    "arguments in resource/name form (e.g. 'keelctl get resource/<resource_name>' instead of "
                    "'keelctl get resource resource/<resource_name>'");
            if (slash == 0 || slash + 1 == word.size() || word.find('/', slash + 1) != std::string::npos)
                return fail("arguments in resource/name form must have a single resource and name");
            const auto type = (*types)->find_type(word.substr(0, slash));
            if (!type) return pass_on(type);
            selection.items.push_back(item(**type, word.substr(slash + 1)));
        }
        if (is_everywhere()) return fail("a resource cannot be retrieved by name across all namespaces");
        selection.is_single = wanted.words.size() == 1;
        return {};
    }

    Result<std::vector<const Resource*>> read_types() {
        const auto types = discovery();
        if (!types) return pass_on(types);
        std::vector<const Resource*> found;
        for (const std::string& text : split_commas(wanted.words.front())) {
            const auto some = (*types)->find_types(text);
            if (!some) return pass_on(some);
            for (const Resource* one : *some)
                if (std::find(found.begin(), found.end(), one) == found.end()) found.push_back(one);
        }
        return found;
    }

    Result<void> read_type_and_names() {
        const auto types = read_types();
        if (!types) return pass_on(types);
        if (wanted.words.size() > 1) {
            if (takes_all()) return fail("setting 'all' parameter but found a non empty selector. ");
            if (has_selector()) return fail("name cannot be provided when a selector is specified");
            if (is_everywhere()) return fail("a resource cannot be retrieved by name across all namespaces");
            for (const Resource* type : *types)
                for (std::size_t i = 1; i < wanted.words.size(); ++i)
                    selection.items.push_back(item(*type, wanted.words[i]));
            selection.is_single = types->size() == 1 && wanted.words.size() == 2;
            return {};
        }
        if (!wanted.type_means_all && !has_selector() && !takes_all())
            return fail("resource(s) were provided, but no name was specified");
        for (const Resource* type : *types)
            selection.listings.push_back({type, is_everywhere() ? "" : namespace_name});
        return {};
    }

    Result<void> read_files() {
        Failures failures;
        const auto manifests = read_manifests(*wanted.files, failures);
        if (!manifests) return pass_on(manifests);
        if (!failures.empty()) return failures.result();
        for (const Manifest& manifest : *manifests) {
            auto found = item_of_manifest(session, manifest);
            if (!found) return pass_on(found);
            selection.items.push_back(std::move(*found));
        }
        selection.is_single = selection.items.size() == 1;
        return {};
    }

    Result<Selection> read() {
        const bool has_files =
            wanted.files != nullptr && (!wanted.files->filenames.empty() || !wanted.files->kustomize.empty());
        if (has_files && !wanted.words.empty())
            return fail(
                "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as "
                "well");
        if (!has_files && wanted.words.empty()) return tl::unexpected(nothing_named());
        const auto name = session.namespace_name();
        if (!name) return pass_on(name);
        namespace_name = *name;
        const bool are_pairs =
            std::any_of(wanted.words.begin(), wanted.words.end(),
                        [](const std::string& word) { return word.find('/') != std::string::npos; });
        const auto done = has_files ? read_files() : are_pairs ? read_pairs() : read_type_and_names();
        if (!done) return pass_on(done);
        return std::move(selection);
    }
};

Result<void> work_on_listing(Api& api, const Listing& listing, const SelectFlags* select,
                             const ItemWork& work, Failures& failures) {
    auto items = list_items(api, listing, select);
    if (!items) {
        failures.add(items.error());
        return {};
    }
    for (Item& item : *items)
        if (const auto done = work(item); !done) failures.add(done.error());
    return {};
}

Result<void> for_each(Session& session, const Wanted& wanted, const ItemWork& work, bool is_read_first) {
    auto selection = select(session, wanted);
    if (!selection) return pass_on(selection);
    const auto api = session.api();
    if (!api) return pass_on(api);
    Failures failures;
    for (Item& item : selection->items) {
        if (is_read_first) {
            auto object = (*api)->ask({.path = item.path()});
            if (!object) {
                failures.add(object.error());
                continue;
            }
            item.object = std::move(*object);
        }
        if (const auto done = work(item); !done) failures.add(done.error());
    }
    for (const Listing& listing : selection->listings)
        if (auto done = work_on_listing(**api, listing, wanted.select, work, failures); !done) return done;
    return failures.result();
}

}  // namespace

void add_selector_flag(Flags& flags, SelectFlags& select) {
    flags.text("l,selector", select.labels,
               "Only objects with these labels, such as app=web,tier!=test or 'app in (web, api)'");
}

void add_field_selector_flag(Flags& flags, SelectFlags& select) {
    flags.text("field-selector", select.fields,
               "Only objects with these fields, such as status.phase=Running or spec.nodeName!=n1");
}

void add_all_namespaces_flag(Flags& flags, SelectFlags& select) {
    flags.flag("A,all-namespaces", select.all_namespaces, "The objects of all namespaces");
}

void add_all_flag(Flags& flags, SelectFlags& select) {
    flags.flag("all", select.all, "All objects of the named types");
}

Failure nothing_named() {
    return whole(
        "error: You must provide one or more resources by argument or filename.\n"
        "Example resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n"
        "   '<resource> <name>'\n   '<resource>'");
}

Query selector_query(const SelectFlags* select) {
    Query query;
    if (select != nullptr && !select->labels.empty()) query.emplace_back("labelSelector", select->labels);
    if (select != nullptr && !select->fields.empty()) query.emplace_back("fieldSelector", select->fields);
    return query;
}

Failure list_failure(const Failure& failure, const Resource& resource, const SelectFlags* select) {
    if (!is_refused_as(failure, "BadRequest") && !is_refused_as(failure, "NotFound")) return failure;
    const std::string type =
        "\"" + resource.group + "/" + resource.version + ", Resource=" + resource.plural + "\"";
    if (select == nullptr || (select->labels.empty() && select->fields.empty()))
        return with_context(failure, "Unable to list " + type + ": ");
    return with_context(failure, "Unable to find " + type + " that match label selector \"" + select->labels +
                                     "\", field selector \"" + select->fields + "\": ");
}

Result<Selection> select(Session& session, const Wanted& wanted) {
    return Selector{session, wanted}.read();
}

Result<std::vector<Item>> list_items(Api& api, const Listing& listing, const SelectFlags* select) {
    std::vector<Item> items;
    std::string next;
    do {
        Query query = selector_query(select);
        query.emplace_back("limit", kPageSize);
        if (!next.empty()) query.emplace_back("continue", next);
        auto page = api.ask({.path = listing.resource->path(listing.namespace_name), .query = query});
        if (!page) return tl::unexpected(list_failure(page.error(), *listing.resource, select));
        if (page->contains("items") && (*page)["items"].is_array())
            for (Object& object : (*page)["items"]) {
                // Members of lists do not say what they are.
                object["apiVersion"] = listing.resource->api_version();
                object["kind"] = listing.resource->kind;
                Item item{.resource = listing.resource,
                          .namespace_name = namespace_of(object),
                          .name = name_of(object)};
                item.object = std::move(object);
                items.push_back(std::move(item));
            }
        next = text_at(member(*page, "metadata"), "continue");
    } while (!next.empty());
    return items;
}

Result<void> for_each_object(Session& session, const Wanted& wanted, const ItemWork& work) {
    return for_each(session, wanted, work, true);
}

Result<void> for_each_named(Session& session, const Wanted& wanted, const ItemWork& work) {
    return for_each(session, wanted, work, false);
}

Result<Item> item_of_manifest(Session& session, const Manifest& manifest) {
    const auto types = session.discovery();
    if (!types) return pass_on(types);
    const auto namespace_name = session.namespace_name();
    if (!namespace_name) return pass_on(namespace_name);
    const std::string version = text_at(manifest.object, "apiVersion");
    const std::string kind = text_at(manifest.object, "kind");
    Item item{.resource = (*types)->find_kind(version, kind),
              .namespace_name = namespace_of(manifest.object),
              .name = name_of(manifest.object)};
    if (item.resource == nullptr)
        return fail("resource mapping not found for name: \"" + item.name + "\" namespace: \"" +
                    item.namespace_name + "\" from \"" + manifest.source + "\": no matches for kind \"" +
                    kind + "\" in version \"" + version + "\"\nensure CRDs are installed first");
    item.object = manifest.object;
    item.source = manifest.source;
    if (!item.resource->is_namespaced) {
        item.namespace_name.clear();
        return item;
    }
    if (item.namespace_name.empty()) {
        item.namespace_name = *namespace_name;
        item.object["metadata"]["namespace"] = *namespace_name;
    } else if (session.is_namespace_given() && item.namespace_name != *namespace_name) {
        return fail("the namespace from the provided object \"" + item.namespace_name +
                    "\" does not match the namespace \"" + *namespace_name +
                    "\". You must pass '--namespace=" + item.namespace_name + "' to perform this operation.");
    }
    return item;
}

}  // namespace keelson::cli::kube
