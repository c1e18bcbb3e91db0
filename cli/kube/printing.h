// The flag -o and what it makes of objects.
#pragma once

#include <string>
#include <vector>

#include "cli/kube/flags.h"
#include "cli/kube/object.h"
#include "cli/kube/resources.h"

namespace keelson::cli::kube {

struct PrintFlags {
    std::string output;         // "", "wide", "json", "yaml", "name", "jsonpath=...", ...
    std::string template_text;  // --template
    bool shows_managed_fields = false;
    bool allows_missing_keys = true;
    bool has_headers = true;  // of custom columns

    // Tables and messages are for people.
    [[nodiscard]] bool is_for_people() const;
    [[nodiscard]] bool is_name() const { return output == "name"; }
};
void add_print_flags(Flags& flags, PrintFlags& print);

// Whether the format is known.
Result<void> check_format(const PrintFlags& print);
// The object in the format; not for tables.
Result<std::string> format_object(const PrintFlags& print, Object object);

// Prints after a change: "deployment.apps/web created", or the object as -o says. `done` is "created",
// "configured (dry run)" and so on.
Result<void> print_change(const PrintFlags& print, const Item& item, const std::string& done);
// Objects of several items in one List, or one after another where the format says so.
Result<void> print_objects(const PrintFlags& print, std::vector<Object> objects, bool is_single);

// -o of commands that show no objects: a document for programs instead of text for people.
struct DocumentFlag {
    std::string output;  // "", "json" or "yaml" once it is checked
    [[nodiscard]] Result<void> check() const;
    [[nodiscard]] bool is_wanted() const { return !output.empty(); }
    void print(const Object& document) const;
};
void add_document_flag(Flags& flags, DocumentFlag& document);

// " (dry run)" and the like. A word that is none of none, client and server fails.
enum class DryRun { none, client, server };
struct DryRunFlag {
    std::string text = "none";
    Result<DryRun> read() const;
};
void add_dry_run_flag(Flags& flags, DryRunFlag& dry_run);
std::string with_dry_run(const std::string& done, DryRun dry_run);
void add_dry_run_query(DryRun dry_run, Query& query);

}  // namespace keelson::cli::kube
