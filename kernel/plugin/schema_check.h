// Documents against JSON Schemas.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace keelson::plugin {

// A schema (draft 7), read once. Thread-safe.
class DocumentSchema {
  public:
    // `root` is how failures call the whole document: "config".
    [[nodiscard]] static base::Result<DocumentSchema> parse(std::string_view schema, std::string root);

    // A failure lists what is wrong, at most ten things; `lines` tells where parts of the document stand in
    // the operator's file (JSON pointer to line), and may be empty.
    [[nodiscard]] base::Result<void> check(std::string_view document,
                                           const std::map<std::string, int>& lines = {}) const;

  private:
    struct Parsed;
    explicit DocumentSchema(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
    std::shared_ptr<const Parsed> parsed_;
};

// A plugin's configuration against its manifest's schema.
[[nodiscard]] base::Result<void> check_against_schema(std::string_view schema, std::string_view document,
                                                      const std::map<std::string, int>& lines = {});

}  // namespace keelson::plugin
