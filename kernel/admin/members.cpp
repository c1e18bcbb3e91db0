#include "kernel/admin/members.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

namespace keelson::admin {
namespace {

using nlohmann::json;

constexpr int kDepth = 64;

// "line 3, column 7" of a byte offset that counts from 1.
std::string place_of(const std::string& text, std::size_t byte) {
    const std::size_t end = std::min(byte == 0 ? 0 : byte - 1, text.size());
    const auto begin = text.begin();
    const auto stop = begin + static_cast<std::ptrdiff_t>(end);
    const auto line = std::count(begin, stop, '\n') + 1;
    const std::size_t newline = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
    const std::size_t column = newline == std::string::npos ? end + 1 : end - newline;
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// The library's "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." without
// what is said already.
std::string cause_of(const json::parse_error& error) {
    const std::string text = error.what();
    const std::size_t colon = text.find(": ");
    return colon == std::string::npos ? text : text.substr(colon + 2);
}

// Refuses what is nested so deeply that writing it out again would exhaust the stack, and members that are
// there twice.
class Guard {
  public:
    bool operator()(int depth, json::parse_event_t event, json& value) {
        using Event = json::parse_event_t;
        if (depth > kDepth) too_deep_ = true;
        if (event == Event::object_start) names_.emplace_back();
        if (event == Event::object_end && !names_.empty()) names_.pop_back();
        if (event == Event::key && !names_.empty()) {
            const auto& name = value.get_ref<const std::string&>();
            if (!names_.back().insert(name).second && twice_.empty()) twice_ = name;
        }
        return !too_deep_;
    }
    [[nodiscard]] tl::expected<void, Problem> verdict() const {
        if (too_deep_)
            return refuse(400, "the body is nested deeper than " + std::to_string(kDepth) + " levels");
        if (!twice_.empty()) return refuse(400, "the body has the member '" + twice_ + "' twice");
        return {};
    }

  private:
    std::vector<std::set<std::string>> names_;
    bool too_deep_ = false;
    std::string twice_;
};

tl::expected<json, Problem> parse_json(const std::string& text) {
    Guard guard;
    try {
        json document = json::parse(text, std::ref(guard));
        if (auto good = guard.verdict(); !good) return refuse(good.error());
        if (!document.is_object())
            return refuse(400, std::string("the body must be a JSON object, not ") + document.type_name());
        return document;
    } catch (const json::parse_error& error) {
        if (auto good = guard.verdict(); !good) return refuse(good.error());
        return refuse(400, "the body is not JSON: " + place_of(text, error.byte) + ": " + cause_of(error));
    } catch (const json::exception& error) {
        return refuse(400, std::string("the body is not JSON: ") + error.what());
    }
}

bool has_type(const json& value, std::string_view type) {
    if (type == "string") return value.is_string();
    if (type == "integer") return value.is_number_unsigned();
    if (type == "boolean") return value.is_boolean();
    return value.is_object();
}

std::string type_text(std::string_view type) {
    return type == "integer" ? "a whole number that is not negative" : "of type " + std::string(type);
}

std::string names_of(const std::vector<Member>& members) {
    std::string text;
    for (const Member& member : members) text += (text.empty() ? "" : ", ") + std::string(member.name);
    return text.empty() ? "none" : text;
}

std::vector<FieldError> errors_of(const json& document, const std::vector<Member>& known) {
    std::vector<FieldError> errors;
    for (const auto& [name, value] : document.items()) {
        const auto found = std::ranges::find(known, std::string_view(name), &Member::name);
        if (found == known.end())
            errors.push_back({name, "is not known here (known: " + names_of(known) + ")"});
        else if (!value.is_null() && !has_type(value, found->type))
            errors.push_back({name, "must be " + type_text(found->type)});
    }
    for (const Member& member : known) {
        const auto found = document.find(member.name);
        if (member.is_required && (found == document.end() || found->is_null()))
            errors.push_back({std::string(member.name), "is required"});
    }
    if (errors.size() > 20) errors.resize(20);
    return errors;
}

Problem as_problem(std::vector<FieldError> errors, const std::string& what) {
    std::string detail = what + " cannot be taken:";
    for (const FieldError& error : errors)
        detail += (&error == &errors.front() ? " '" : "; '") + error.field + "' " + error.detail;
    Problem problem(400, std::move(detail));
    problem.errors = std::move(errors);
    return problem;
}

bool is_written_as(const std::string& value, std::string_view type) {
    if (type == "boolean") return value == "true" || value == "false";
    if (type != "integer") return true;
    std::uint64_t number = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
    return code == std::errc() && end == value.data() + value.size();
}

}  // namespace

tl::expected<Members, Problem> Members::parse(const std::string& text, const std::vector<Member>& known) {
    const bool may_be_empty = std::ranges::none_of(known, &Member::is_required);
    auto document = text.empty() && may_be_empty ? json::object() : parse_json(text);
    if (!document) return refuse(document.error());
    if (auto errors = errors_of(*document, known); !errors.empty())
        return refuse(as_problem(std::move(errors), "the body"));
    Members members;
    for (const auto& [name, value] : document->items()) {
        if (value.is_null()) continue;
        members.values_[name] = value.is_string() ? value.get<std::string>() : value.dump();
    }
    return members;
}

std::optional<std::string> Members::text(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint64_t> Members::number(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional<std::uint64_t>(std::stoull(found->second));
}

bool Members::flag(std::string_view name) const {
    const auto found = values_.find(name);
    return found != values_.end() && found->second == "true";
}

std::string Members::document(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string() : found->second;
}

tl::expected<std::string, Problem> parse_object(const std::string& text) {
    auto document = parse_json(text);
    if (!document) return refuse(document.error());
    return document->dump();
}

tl::expected<void, Problem> check_query(const Request& request, const Route& route) {
    std::vector<FieldError> errors;
    std::set<std::string> seen;
    for (const auto& [name, value] : request.query) {
        const auto found = std::ranges::find(route.query, std::string_view(name), &Member::name);
        if (found == route.query.end())
            errors.push_back({name, "is not known here (known: " + names_of(route.query) + ")"});
        else if (!seen.insert(name).second)
            errors.push_back({name, "is there twice"});
        else if (!is_written_as(value, found->type))
            errors.push_back({name, found->type == "boolean" ? "must be true or false"
                                                             : "must be " + type_text(found->type)});
        if (errors.size() == 20) break;
    }
    if (errors.empty()) return {};
    return refuse(as_problem(std::move(errors), "the query"));
}

}  // namespace keelson::admin
