// JSON bodies against what their route knows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "kernel/admin/problem.h"
#include "kernel/admin/routes.h"

namespace keelson::admin {

// A JSON object with members of known names and types. Absent and null are the same.
class Members {
  public:
    // Fails naming the place of a syntax error, members that are not known here (with those that are), of the
    // wrong type, or missing.
    static tl::expected<Members, Problem> parse(const std::string& text, const std::vector<Member>& known);

    [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
    [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name) const;
    [[nodiscard]] bool flag(std::string_view name) const;
    // A member of type object, as a JSON document; empty when it is not there.
    [[nodiscard]] std::string document(std::string_view name) const;

  private:
    // Texts as they are; everything else as JSON.
    std::map<std::string, std::string, std::less<>> values_;
};

// The body of a route that knows nothing about its members: any JSON object, compact.
[[nodiscard]] tl::expected<std::string, Problem> parse_object(const std::string& text);

// Query parameters: unknown, repeated or malformed ones fail.
[[nodiscard]] tl::expected<void, Problem> check_query(const Request& request, const Route& route);

}  // namespace keelson::admin
