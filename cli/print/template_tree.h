// The syntax of Go's text/template as a tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/result.h"

namespace keelson::cli::printing {

enum class TreeKind : std::uint8_t {
    list,  // of a template or a branch
    text,
    action,     // children: a pipeline
    branch_if,  // children: a pipeline, the list, and the list for else when there is one
    branch_with,
    branch_range,
    call,      // {{template}}: its name in `text`, perhaps a pipeline
    leave,     // {{break}}
    next,      // {{continue}}
    pipeline,  // children: commands; what it declares in `names`
    command,   // children: operands
    dot,
    nil,
    field,     // `names` from the dot on
    variable,  // `names`: its name, then fields
    chain,     // children: an operand; fields of it in `names`
    function,
    boolean,
    integer,
    real,
    string,
};

struct TreeNode {
    TreeKind kind = TreeKind::list;
    std::size_t position = 0;  // in the template's text
    std::string text;          // the plain text, the string's value, the function's name
    std::string source;        // of literals: how they were written
    std::vector<std::string> names;
    bool assigns = false;  // a pipeline with "=" instead of ":="
    std::int64_t integer = 0;
    double real = 0;
    std::vector<TreeNode> children;
};

// As a user would have written it, for errors.
std::string source_of(const TreeNode& node);

struct TemplateTree {
    std::string text;
    std::map<std::string, TreeNode> templates;  // the main one is called kMainTemplate
};
inline constexpr std::string_view kMainTemplate = "output";

// Errors are worded as Go's: "template: output:1: unclosed action".
Result<TemplateTree> parse_template(std::string_view text);

bool is_template_function(std::string_view name);

}  // namespace keelson::cli::printing
