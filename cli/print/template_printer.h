// The formats of -o that have a template: parsed once, then used for each object.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cli/print/go_text.h"
#include "cli/result.h"

namespace keelson::cli::printing {

struct TemplateOptions {
    bool allows_missing = true;  // --allow-missing-template-keys
    bool with_headers = true;    // of custom columns
};

class TemplatePrinter {
  public:
    virtual ~TemplatePrinter() = default;
    // Appends what is to be printed: with a failure too, as far as it went. A list of objects is one object.
    virtual Result<void> print(const Json& object, std::string& out) const = 0;
};

// Whether `kind` is one of jsonpath, jsonpath-as-json, jsonpath-file, go-template, template,
// go-template-file, templatefile, custom-columns and custom-columns-file.
bool is_template_kind(std::string_view kind);

// `text` is what stands behind the kind and "=": the template, or the path of its file. Failures are worded
// as kubectl's.
Result<std::unique_ptr<TemplatePrinter>> make_template_printer(std::string_view kind, std::string_view text,
                                                               TemplateOptions options);

// Both steps for one object.
Result<std::string> print_with_template(std::string_view kind, std::string_view text, const Json& object,
                                        TemplateOptions options = {});

}  // namespace keelson::cli::printing
