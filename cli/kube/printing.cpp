#include "cli/kube/printing.h"

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/print/template_printer.h"

namespace keelson::cli::kube {
namespace {

// "deployment.apps/web"
std::string name_text(const Object& object) {
    const std::string version = text_at(object, "apiVersion");
    const std::size_t slash = version.find('/');
    const std::string group = slash == std::string::npos ? "" : "." + version.substr(0, slash);
    return lower_case(text_at(object, "kind")) + group + "/" + name_of(object);
}

void hide_managed_fields(Object& object) {
    if (!object.is_object()) return;
    if (object.contains("metadata") && object["metadata"].is_object())
        object["metadata"].erase("managedFields");
    if (object.contains("items") && object["items"].is_array())
        for (Object& item : object["items"]) hide_managed_fields(item);
}

struct Template {
    std::string kind, text;
};

Template template_of(const PrintFlags& print) {
    const std::size_t equals = print.output.find('=');
    if (equals != std::string::npos) return {print.output.substr(0, equals), print.output.substr(equals + 1)};
    return {print.output.empty() ? "go-template" : print.output, print.template_text};
}

Result<std::string> format_with_template(const PrintFlags& print, const Object& object) {
    const Template wanted = template_of(print);
    printing::TemplateOptions options{.allows_missing = print.allows_missing_keys,
                                      .with_headers = print.has_headers};
    const auto printer = printing::make_template_printer(wanted.kind, wanted.text, options);
    if (!printer) return pass_on(printer);
    std::string text;
    const auto done = (*printer)->print(object, text);
    if (done) return text;
    // What it printed before it failed is shown too.
    cli::print(text);
    return pass_on(done);
}

}  // namespace

bool PrintFlags::is_for_people() const {
    return (output.empty() && template_text.empty()) || output == "wide";
}

void add_print_flags(Flags& flags, PrintFlags& print) {
    flags.text("o,output", print.output,
               "How to print: json, yaml, name, go-template, go-template-file, template, templatefile, "
               "jsonpath, jsonpath-as-json, jsonpath-file");
    flags.text("template", print.template_text, "The template for -o, or with -o go-template-file its file");
    flags.flag("allow-missing-template-keys", print.allows_missing_keys,
               "In templates, what an object lacks is no error");
    flags.flag("show-managed-fields", print.shows_managed_fields,
               "JSON and YAML tell who manages which fields");
}

Result<void> check_format(const PrintFlags& print) {
    for (const char* known : {"", "wide", "json", "yaml", "name"})
        if (print.output == known) return {};
    const Template wanted = template_of(print);
    if (!printing::is_template_kind(wanted.kind))
        return fail(
            "unable to match a printer suitable for the output format \"" + print.output +
            "\", allowed formats are: custom-columns,custom-columns-file,go-template,go-template-file,json,"
            "jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,wide,yaml");
    const auto printer = printing::make_template_printer(wanted.kind, wanted.text, {});
    if (!printer) return pass_on(printer);
    return {};
}

Result<std::string> format_object(const PrintFlags& print, Object object) {
    if (const auto good = check_format(print); !good) return pass_on(good);
    if (!print.shows_managed_fields) hide_managed_fields(object);
    if (print.output == "json") return pretty_json(object);
    if (print.output == "yaml") return yaml_of(object);
    if (!print.is_name()) return format_with_template(print, object);
    if (!member(object, "items").is_array()) return name_text(object) + "\n";
    std::string text;
    for (const Object& item : object["items"]) text += name_text(item) + "\n";
    return text;
}

Result<void> print_change(const PrintFlags& print, const Item& item, const std::string& done) {
    if (print.is_for_people() || print.is_name()) {
        // A subresource is told of by its own kind.
        const bool is_whole =
            text_at(item.object, "kind").empty() || text_at(item.object, "kind") == item.resource->kind;
        cli::print((is_whole ? item.text() : name_text(item.object)) + (print.is_name() ? "" : " " + done) +
                   "\n");
        return {};
    }
    const auto text = format_object(print, item.object);
    if (!text) return pass_on(text);
    cli::print(*text);
    return {};
}

Result<void> print_objects(const PrintFlags& print, std::vector<Object> objects, bool is_single) {
    Object whole;
    if (is_single && objects.size() == 1) {
        whole = std::move(objects.front());
    } else {
        whole = {{"apiVersion", "v1"},
                 {"kind", "List"},
                 {"metadata", {{"resourceVersion", ""}}},
                 {"items", std::move(objects)}};
    }
    const auto text = format_object(print, std::move(whole));
    if (!text) return pass_on(text);
    cli::print(*text);
    return {};
}

void add_document_flag(Flags& flags, DocumentFlag& document) {
    flags.text("o,output", document.output, "yaml or json: a document for programs");
}

Result<void> DocumentFlag::check() const {
    if (output.empty() || output == "json" || output == "yaml") return {};
    return fail("--output must be 'yaml' or 'json'");
}

void DocumentFlag::print(const Object& document) const {
    cli::print(output == "yaml" ? yaml_of(document) : pretty_json(document));
}

Result<DryRun> DryRunFlag::read() const {
    if (text == "none" || text == "false") return DryRun::none;
    if (text == "server") return DryRun::server;
    if (text == "client") return DryRun::client;
    if (text == "unchanged" || text == "true") {
        warn("W --dry-run is deprecated and can be replaced with --dry-run=client.");
        return DryRun::client;
    }
    return fail("Invalid dry-run value (" + text + "). Must be \"none\", \"server\", or \"client\".");
}

void add_dry_run_flag(Flags& flags, DryRunFlag& dry_run) {
    flags.optional_text("dry-run", dry_run.text, "unchanged",
                        "client: only show it; server: let the server check it; none: do it");
}

std::string with_dry_run(const std::string& done, DryRun dry_run) {
    if (dry_run == DryRun::client) return done + " (dry run)";
    if (dry_run == DryRun::server) return done + " (server dry run)";
    return done;
}

void add_dry_run_query(DryRun dry_run, Query& query) {
    if (dry_run == DryRun::server) query.emplace_back("dryRun", "All");
}

}  // namespace keelson::cli::kube
