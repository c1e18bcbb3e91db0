// Go's text/template, as kubectl runs it on objects.
#pragma once

#include <string>
#include <string_view>

#include "cli/print/go_text.h"
#include "cli/print/template_tree.h"

namespace keelson::cli::printing {

class GoTemplate {
  public:
    static Result<GoTemplate> parse(std::string_view text);

    // Appends to `out`, also what came before a failure. Without `allows_missing` a member that is not there
    // is one.
    Result<void> run(const Json& object, bool allows_missing, std::string& out) const;

  private:
    explicit GoTemplate(TemplateTree tree) : tree_(std::move(tree)) {}
    TemplateTree tree_;
};

}  // namespace keelson::cli::printing
