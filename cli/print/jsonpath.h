// kubectl's JSONPath: templates of texts and {expressions}.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/print/go_text.h"
#include "cli/print/jsonpath_parser.h"

namespace keelson::cli::printing {

// What one {expression}, or one text, found. They live as long as the results and the object.
using Found = std::vector<const Json*>;

struct PathResults {
    std::vector<Found> parts;
    std::vector<std::shared_ptr<const Json>> made;  // what is not part of the object
};

class JsonPath {
  public:
    static Result<JsonPath> parse(std::string_view text);

    // Where nothing is found is a failure unless `allows_missing`: "x is not found".
    [[nodiscard]] Result<PathResults> find(const Json& object, bool allows_missing) const;

  private:
    explicit JsonPath(PathNode root) : root_(std::move(root)) {}
    PathNode root_;
};

// "{.a.b}" from what people write: a.b, .a.b, {a.b} or {.a.b}.
Result<std::string> relaxed_path(std::string_view text);

}  // namespace keelson::cli::printing
