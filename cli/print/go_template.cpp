#include "cli/print/go_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/print/template_functions.h"

namespace keelson::cli::printing {
namespace {

constexpr int kDeepestTemplates = 500;
constexpr std::size_t kLongestOutput = 256u << 20;

// What a template does wrong; does not leave this file.
struct Fault {
    std::string message;
};

enum class Flow : std::uint8_t { on, leave, next };

class Runner {
  public:
    Runner(const TemplateTree& tree, bool allows_missing, std::string& out)
        : tree_(tree), allows_missing_(allows_missing), out_(out) {}

    void run(const std::string& name, const TemplateValue& data, const TreeNode* caller) {
        const auto found = tree_.templates.find(name);
        if (found == tree_.templates.end()) complain(*caller, "template " + go_quote(name) + " not defined");
        if (++depth_ > kDeepestTemplates)
            complain(*caller, "exceeded maximum template depth (" + std::to_string(kDeepestTemplates) + ")");
        const auto variables = std::exchange(variables_, {{"$", data}});
        const std::string outer = std::exchange(name_, name);
        list(found->second, data);
        name_ = outer;
        variables_ = variables;
        --depth_;
    }

  private:
    struct Variable {
        std::string name;
        TemplateValue value;
    };

    [[noreturn]] void complain(const TreeNode& node, const std::string& message) const {
        const std::string_view before = std::string_view(tree_.text).substr(0, node.position);
        const std::size_t line_begin =
            before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
        const auto lines = 1 + std::count(before.begin(), before.end(), '\n');
        throw Fault{"template: " + std::string(kMainTemplate) + ":" + std::to_string(lines) + ":" +
                    std::to_string(before.size() - line_begin) + ": executing " + go_quote(name_) + " at <" +
                    source_of(node) + ">: " + message};
    }

    Flow list(const TreeNode& nodes, const TemplateValue& dot) {
        for (const TreeNode& node : nodes.children)
            if (const Flow flow = walk(node, dot); flow != Flow::on) return flow;
        return Flow::on;
    }

    Flow walk(const TreeNode& node, const TemplateValue& dot) {
        if (out_.size() > kLongestOutput) complain(node, "the output is too long");
        switch (node.kind) {
            case TreeKind::text:
                out_ += node.text;
                return Flow::on;
            case TreeKind::action: {
                const TemplateValue value = pipeline(node.children[0], dot);
                if (node.children[0].names.empty()) show(value);
                return Flow::on;
            }
            case TreeKind::branch_if:
            case TreeKind::branch_with:
                return branch(node, dot);
            case TreeKind::branch_range:
                return range(node, dot);
            case TreeKind::call: {
                TemplateValue data;
                if (!node.children.empty()) data = pipeline(node.children[0], dot);
                run(node.text, data, &node);
                return Flow::on;
            }
            case TreeKind::leave:
                return Flow::leave;
            case TreeKind::next:
                return Flow::next;
            default:
                complain(node, "unknown node");
        }
    }

    void show(const TemplateValue& value) {
        out_ += value && !value->is_null() ? go_text(*value) : "<no value>";
    }

    Flow branch(const TreeNode& node, const TemplateValue& dot) {
        const std::size_t variables = variables_.size();
        const TemplateValue value = pipeline(node.children[0], dot);
        Flow flow = Flow::on;
        if (is_true(value))
            flow = list(node.children[1], node.kind == TreeKind::branch_with ? value : dot);
        else if (node.children.size() > 2)
            flow = list(node.children[2], dot);
        variables_.resize(variables);
        return flow;
    }

    Flow range(const TreeNode& node, const TemplateValue& dot) {
        const std::size_t variables = variables_.size();
        const TreeNode& pipe = node.children[0];
        const TemplateValue value = pipeline(pipe, dot);
        const std::size_t inside = variables_.size();
        Flow flow = Flow::on;
        if (value && !value->is_null() && !value->is_structured())
            complain(innermost(pipe), "range can't iterate over " + go_text(*value));
        if (!is_true(value)) {
            if (node.children.size() > 2) flow = list(node.children[2], dot);
        } else {
            std::int64_t at = 0;
            for (auto item = value->begin(); item != value->end(); ++item, ++at) {
                const TemplateValue element(value, &*item);
                set_range(pipe, value->is_object() ? make_value(Json(item.key())) : make_value(Json(at)),
                          element, inside);
                const Flow one = list(node.children[1], element);
                variables_.resize(inside);
                if (one == Flow::leave) break;
            }
        }
        variables_.resize(variables);
        return flow;
    }

    // The variables of a range: the element, or the key and the element.
    void set_range(const TreeNode& pipe, const TemplateValue& key, const TemplateValue& element,
                   std::size_t inside) {
        const std::size_t count = pipe.names.size();
        if (count == 0) return;
        if (pipe.assigns) {
            set(pipe.names.back(), element);
            if (count > 1) set(pipe.names.front(), key);
            return;
        }
        variables_[inside - 1].value = element;
        if (count > 1) variables_[inside - 2].value = key;
    }

    void set(const std::string& name, const TemplateValue& value) {
        for (auto variable = variables_.rbegin(); variable != variables_.rend(); ++variable) {
            if (variable->name != name) continue;
            variable->value = value;
            return;
        }
    }

    // What was evaluated last.
    static const TreeNode& innermost(const TreeNode& pipe) {
        return pipe.children.empty() ? pipe : innermost(pipe.children.back());
    }

    TemplateValue pipeline(const TreeNode& pipe, const TemplateValue& dot) {
        TemplateValue value;
        bool is_first = true;
        for (const TreeNode& one : pipe.children) {
            value = command(one, dot, is_first ? nullptr : &value);
            is_first = false;
            // What an interface holds counts, and nil is nothing.
            if (value && value->is_null()) value = nullptr;
        }
        for (const std::string& name : pipe.names) {
            if (pipe.assigns)
                set(name, value);
            else
                variables_.push_back({name, value});
        }
        return value;
    }

    TemplateValue command(const TreeNode& node, const TemplateValue& dot, const TemplateValue* last) {
        const TreeNode& first = node.children.front();
        if (first.kind == TreeKind::function) return function(node, first, dot, last);
        const bool has_more = node.children.size() > 1 || last != nullptr;
        if (first.kind == TreeKind::nil) complain(first, "nil is not a command");
        if (has_more) {
            const bool is_chain = first.kind == TreeKind::field || first.kind == TreeKind::chain ||
                                  first.kind == TreeKind::variable;
            if (is_chain) operand(first, dot);
            if (is_chain && !first.names.empty())
                complain(first, first.names.back() + " is not a method but has arguments");
            complain(first, "can't give argument to non-function " + source_of(first));
        }
        return operand(first, dot);
    }

    TemplateValue operand(const TreeNode& node, const TemplateValue& dot) {
        switch (node.kind) {
            case TreeKind::dot:
                return dot;
            case TreeKind::nil:
                return nullptr;
            case TreeKind::field:
                return fields(node, dot, 0);
            case TreeKind::variable:
                return fields(node, variable(node.names.front()), 1);
            case TreeKind::chain:
                return fields(node, operand(node.children[0], dot), 0);
            case TreeKind::pipeline:
                return pipeline(node, dot);
            case TreeKind::function:
                return function(node, node, dot, nullptr);
            case TreeKind::boolean:
                return make_value(Json(node.integer != 0));
            case TreeKind::integer:
                return make_value(Json(node.integer));
            case TreeKind::real:
                return make_value(Json(node.real));
            case TreeKind::string:
                return make_value(Json(node.text));
            default:
                complain(node, "can't evaluate command " + go_quote(source_of(node)));
        }
    }

    TemplateValue variable(const std::string& name) const {
        for (auto variable = variables_.rbegin(); variable != variables_.rend(); ++variable)
            if (variable->name == name) return variable->value;
        return nullptr;
    }

    TemplateValue fields(const TreeNode& node, TemplateValue value, std::size_t from) const {
        for (std::size_t i = from; i < node.names.size(); ++i) {
            const std::string& name = node.names[i];
            if (!value) {
                if (!allows_missing_) complain(node, "nil data; no entry for key " + go_quote(name));
                return nullptr;
            }
            if (value->is_null()) complain(node, "nil pointer evaluating interface {}." + name);
            if (!value->is_object()) complain(node, "can't evaluate field " + name + " in type interface {}");
            const auto member = value->find(name);
            if (member == value->end() && !allows_missing_)
                complain(node, "map has no entry for key " + go_quote(name));
            value = member == value->end() ? nullptr : TemplateValue(value, &*member);
        }
        return value;
    }

    TemplateValue function(const TreeNode& command, const TreeNode& name, const TemplateValue& dot,
                           const TemplateValue* last) {
        if (name.text == "and" || name.text == "or") return choice(command, name, dot, last);
        TemplateValues arguments;
        for (std::size_t i = 1; i < command.children.size(); ++i)
            arguments.push_back(operand(command.children[i], dot));
        if (last != nullptr) arguments.push_back(*last);
        auto answer = call_template_function(name.text, arguments);
        if (answer) return *answer;
        const std::string& message = answer.error().message;
        if (message.starts_with("wrong ")) complain(name, message);
        complain(command, "error calling " + name.text + ": " + message);
    }

    // The first that decides, or the last.
    TemplateValue choice(const TreeNode& command, const TreeNode& name, const TemplateValue& dot,
                         const TemplateValue* last) {
        TemplateValue value;
        if (command.children.size() < 2 && last == nullptr)
            complain(name, "wrong number of args for " + name.text + ": want at least 1 got 0");
        for (std::size_t i = 1; i < command.children.size(); ++i) {
            value = operand(command.children[i], dot);
            if (is_true(value) == (name.text == "or")) return value;
        }
        return last == nullptr ? value : *last;
    }

    const TemplateTree& tree_;
    bool allows_missing_;
    std::string& out_;
    std::vector<Variable> variables_;
    std::string name_;
    int depth_ = 0;
};

}  // namespace

Result<GoTemplate> GoTemplate::parse(std::string_view text) {
    auto tree = parse_template(text);
    if (!tree) return tl::unexpected(tree.error());
    return GoTemplate(std::move(*tree));
}

Result<void> GoTemplate::run(const Json& object, bool allows_missing, std::string& out) const {
    try {
        Runner(tree_, allows_missing, out)
            .run(std::string(kMainTemplate), TemplateValue(TemplateValue(), &object), nullptr);
        return {};
    } catch (const Fault& fault) {
        return fail(fault.message);
    }
}

}  // namespace keelson::cli::printing
