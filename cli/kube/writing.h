// What commands that change objects share: the flags of writes and the calls.
#pragma once

#include <string>

#include "cli/kube/api.h"
#include "cli/kube/flags.h"
#include "cli/kube/printing.h"
#include "cli/kube/resources.h"

namespace keelson::cli::kube {

struct WriteFlags {
    DryRunFlag dry_run;
    std::string manager;              // --field-manager
    std::string validate = "strict";  // only with add_validate_flag
    std::string subresource;
};
void add_write_flags(Flags& flags, WriteFlags& write, std::string_view manager);
void add_manager_flag(Flags& flags, WriteFlags& write);
void add_validate_flag(Flags& flags, WriteFlags& write);

// The flags as the server takes them; fails on words that are none of theirs.
Result<Query> write_query(const WriteFlags& write);

constexpr const char* kMergePatch = "application/merge-patch+json";
constexpr const char* kStrategicPatch = "application/strategic-merge-patch+json";
constexpr const char* kJsonPatch = "application/json-patch+json";
constexpr const char* kApplyPatch = "application/apply-patch+yaml";

// Each puts what the server answers into the item.
Result<void> create_item(Api& api, Item& item, const Query& query);
// Over what is there, whatever its version, unless the item names one.
Result<void> replace_item(Api& api, Item& item, const Query& query, const std::string& subresource = "");
Result<void> patch_item(Api& api, Item& item, const std::string& type, const std::string& patch,
                        const Query& query, const std::string& subresource = "");

// The objects of the files that the label selector chooses, one after another, past failures. The verb is for
// the message when there are none.
Result<void> for_each_manifest(Session& session, const FileFlags& files, const std::string& labels,
                               const std::string& verb, const ItemWork& work);

// The merge patch that makes one of the other; null when they are equal.
Object merge_patch_between(const Object& before, const Object& after);

// The annotation in which kubectl apply keeps what it was given, and its value for a manifest.
constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
// Byte for byte what kubectl writes: one line of JSON.
std::string go_line(const Object& manifest);
std::string last_applied_text(Object manifest);
void save_last_applied(Object& object);

}  // namespace keelson::cli::kube
