// The errors of validation: which field is wrong, why, and the Status that Kubernetes makes of them.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/status.h"
#include "kernel/object/value.h"

namespace keelson::object {

// A path such as spec.containers[0].ports: a chain of nodes on the stack, made into text only when an error
// needs it. A node refers to its parent, which must outlive it; so steps cannot be chained on temporaries. A
// step may hold several names: child("spec.template").
class FieldPath {
  public:
    FieldPath() = default;  // the root, an empty text
    explicit FieldPath(std::string_view name) : name_(name) {}

    [[nodiscard]] FieldPath child(std::string_view name) const& { return {this, name, kNone, {}}; }
    [[nodiscard]] FieldPath index(std::size_t index) const& {
        return {this, {}, static_cast<std::int64_t>(index), {}};
    }
    [[nodiscard]] FieldPath key(std::string_view key) const& { return {this, {}, kKey, key}; }
    // child(name).index(index) and child(name).key(key) in one node.
    [[nodiscard]] FieldPath item(std::string_view name, std::size_t index) const& {
        return {this, name, static_cast<std::int64_t>(index), {}};
    }
    [[nodiscard]] FieldPath entry(std::string_view name, std::string_view key) const& {
        return {this, name, kKey, key};
    }
    FieldPath child(std::string_view) const&& = delete;
    FieldPath index(std::size_t) const&& = delete;
    FieldPath key(std::string_view) const&& = delete;
    FieldPath item(std::string_view, std::size_t) const&& = delete;
    FieldPath entry(std::string_view, std::string_view) const&& = delete;

    [[nodiscard]] std::string to_string() const;

  private:
    static constexpr std::int64_t kNone = -1;
    static constexpr std::int64_t kKey = -2;

    FieldPath(const FieldPath* parent, std::string_view name, std::int64_t index, std::string_view key)
        : parent_(parent), name_(name), key_(key), index_(index) {}
    void write(std::string& out) const;

    const FieldPath* parent_ = nullptr;
    std::string_view name_;
    std::string_view key_;
    std::int64_t index_ = kNone;
};

// The offending value as an error prints it: strings quoted as Go's %q, everything else as JSON; null for an
// absent value.
class BadValue {
  public:
    BadValue(std::string_view text);                                         // NOLINT: implicit by design
    BadValue(const std::string& text) : BadValue(std::string_view(text)) {}  // NOLINT
    BadValue(const char* text) : BadValue(std::string_view(text)) {}         // NOLINT
    BadValue(Value value);  // NOLINT: members of maps in the order they have
    template <std::integral Number>
    requires(!std::same_as<Number, bool>) BadValue(Number number)
        : text_(std::to_string(number)) {}  // NOLINT
    template <std::same_as<bool> Truth>
    BadValue(Truth truth) : text_(truth ? "true" : "false") {}  // NOLINT
    BadValue(const std::vector<std::string>& texts);            // NOLINT: a list of strings

    static BadValue raw(std::string text);
    // The error does not show a value.
    static BadValue omitted();
    // A Go map: members sorted by name.
    static BadValue map(Value value);
    // A Kubernetes internal structure: member names as in Go ("Name" for "name").
    static BadValue go_structure(Value value);

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] bool is_omitted() const { return omitted_; }

  private:
    BadValue() = default;
    std::string text_;
    bool omitted_ = false;
};

enum class ErrorType : std::uint8_t {
    required,
    invalid,
    not_supported,
    forbidden,
    duplicate,
    too_long,
    too_many,
    not_found,
    internal,
    type_invalid,
};

struct FieldError {
    ErrorType type;
    std::string field;
    std::string value;  // printed; empty when the error shows none
    std::string detail;

    // "Invalid value: "x": must be ..."
    [[nodiscard]] std::string body() const;
    // With the field before it.
    [[nodiscard]] std::string message() const;
    bool operator==(const FieldError&) const = default;
};

class FieldErrors {
  public:
    void required(const FieldPath& path, std::string_view detail = {});
    void invalid(const FieldPath& path, const BadValue& value, std::string_view detail);
    // One error for each message.
    void invalid_each(const FieldPath& path, const BadValue& value, const std::vector<std::string>& messages);
    // The allowed values are listed in the order given; Kubernetes sorts most of them.
    void not_supported(const FieldPath& path, const BadValue& value,
                       std::span<const std::string_view> allowed);
    void not_supported(const FieldPath& path, const BadValue& value,
                       std::initializer_list<std::string_view> allowed) {
        not_supported(path, value, std::span(allowed.begin(), allowed.size()));
    }
    void forbidden(const FieldPath& path, std::string_view detail);
    void duplicate(const FieldPath& path, const BadValue& value);
    void too_long(const FieldPath& path, std::int64_t limit);
    void too_many(const FieldPath& path, std::int64_t actual, std::int64_t limit);
    void not_found(const FieldPath& path, const BadValue& value);
    void internal(const FieldPath& path, std::string_view detail);
    void type_invalid(const FieldPath& path, const BadValue& value, std::string_view detail);

    [[nodiscard]] bool empty() const { return errors_.empty(); }
    [[nodiscard]] std::size_t size() const { return errors_.size(); }
    [[nodiscard]] std::span<const FieldError> all() const { return errors_; }
    void append(const FieldErrors& other);
    void truncate(std::size_t size) {
        errors_.erase(errors_.begin() + static_cast<std::ptrdiff_t>(size), errors_.end());
    }
    // "a" for one error, "[a, b]" for several; identical ones once.
    [[nodiscard]] std::string joined() const;

  private:
    void add(ErrorType type, const FieldPath& path, std::string value, std::string_view detail);
    std::vector<FieldError> errors_;
};

// The Status 422 of Kubernetes: `Pod "mini" is invalid: spec.containers: Required value`.
[[nodiscard]] base::Status invalid_status(std::string_view group, std::string_view kind,
                                          std::string_view name, const FieldErrors& errors);

// Text quoted as Go's %q.
[[nodiscard]] std::string go_quoted(std::string_view text);
// `"a", "b"`: each quoted.
[[nodiscard]] std::string quoted_list(std::span<const std::string_view> texts);

}  // namespace keelson::object
