// Files that are sent or kept: their sums, and how a new one is made whole or not at all.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "cli/result.h"

namespace keelson::cli {

struct FileSum {
    std::string hexadecimal;
    std::uint64_t bytes = 0;
};

// A file that is to be sent, at its start, with its sum.
struct Source {
    std::ifstream stream;
    FileSum sum;
};
// `advice` says what should be given instead of what is no plain file.
Result<Source> open_source(const std::string& file, std::string_view advice);

// Written beside its place under another name, mode 0600; removed again unless `keep` went well.
class NewFile {
  public:
    // The place must be free unless `overwrites`.
    static Result<std::unique_ptr<NewFile>> create(const std::string& place, bool overwrites);
    ~NewFile();
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;

    Result<void> write(std::string_view bytes);
    // Durable, and in its place.
    Result<void> keep();

  private:
    NewFile(std::string place, std::string temporary, int descriptor, bool overwrites);

    std::string place_;
    std::string temporary_;
    int descriptor_;
    bool overwrites_;
};

}  // namespace keelson::cli
