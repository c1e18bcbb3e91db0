// Which objects a line is about: "pods", "pod a b", "pod/a svc/b", "-f file", with selectors.
#pragma once

#include <string>
#include <vector>

#include "cli/kube/failures.h"
#include "cli/kube/flags.h"
#include "cli/kube/manifests.h"
#include "cli/kube/session.h"

namespace keelson::cli::kube {

struct SelectFlags {
    std::string labels;
    std::string fields;
    bool all_namespaces = false;
    bool all = false;
};
void add_selector_flag(Flags& flags, SelectFlags& select);
void add_field_selector_flag(Flags& flags, SelectFlags& select);
void add_all_namespaces_flag(Flags& flags, SelectFlags& select);
void add_all_flag(Flags& flags, SelectFlags& select);

// One object: where it is, and what it is once it was read.
struct Item {
    const Resource* resource = nullptr;
    std::string namespace_name;  // empty for cluster-scoped ones
    std::string name;
    Object object;
    std::string source;  // of objects from files

    [[nodiscard]] std::string path() const { return resource->path(namespace_name, name); }
    // "deployment.apps/web"
    [[nodiscard]] std::string text() const { return resource->kind_text() + "/" + name; }
};

// All objects of a type that the selectors choose.
struct Listing {
    const Resource* resource = nullptr;
    std::string namespace_name;  // empty: all
};

struct Selection {
    std::vector<Item> items;
    std::vector<Listing> listings;
    // The line names one object, so that an answer may be that and no list.
    bool is_single = false;
    [[nodiscard]] bool empty() const { return items.empty() && listings.empty(); }
};

struct Wanted {
    const std::vector<std::string>& words;
    const FileFlags* files = nullptr;
    const SelectFlags* select = nullptr;
    // A type alone means all of its objects, as for get; else selectors or --all must say so.
    bool type_means_all = false;
};

// What the words and files say; nothing of it is read from the server yet. Failures of single types are added
// to `failures`, and the rest goes on, when it is given.
Result<Selection> select(Session& session, const Wanted& wanted);

// Reads every object of the selection and hands it on; goes on after failures.
using ItemWork = std::function<Result<void>(Item& item)>;
Result<void> for_each_object(Session& session, const Wanted& wanted, const ItemWork& work);
// The same without reading named objects first.
Result<void> for_each_named(Session& session, const Wanted& wanted, const ItemWork& work);

// The objects of one listing, page by page.
Result<std::vector<Item>> list_items(Api& api, const Listing& listing, const SelectFlags* select);
Query selector_query(const SelectFlags* select);
// Says what could not be listed, where the server's words do not.
Failure list_failure(const Failure& failure, const Resource& resource, const SelectFlags* select);

// Nothing says which objects are meant.
Failure nothing_named();

// What a manifest is about, by the server's types.
Result<Item> item_of_manifest(Session& session, const Manifest& manifest);

}  // namespace keelson::cli::kube
