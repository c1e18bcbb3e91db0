// Tables whose columns are paths: NAME:.metadata.name,IMAGE:.spec.containers[*].image
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/print/jsonpath.h"

namespace keelson::cli::printing {

class CustomColumns {
  public:
    // NAME:PATH,NAME:PATH
    static Result<CustomColumns> parse(std::string_view text);
    // A line of names and a line of paths.
    static Result<CustomColumns> parse_file(std::string_view text);

    // The object, or the items of a list, as a table.
    [[nodiscard]] Result<std::string> print(const Json& object, bool with_headers) const;

  private:
    struct Column {
        std::string header;
        JsonPath path;
    };
    Result<void> add(std::string_view header, std::string_view path);
    [[nodiscard]] Result<std::string> line_of(const Json& object) const;
    std::vector<Column> columns_;
};

}  // namespace keelson::cli::printing
