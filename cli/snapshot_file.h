// A file that is made whole or not at all, with its sum.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <string_view>

#include "cli/result.h"

namespace keelson::cli {

class Sha256 {
  public:
    Sha256();
    void add(std::string_view bytes);
    // In hexadecimal; once.
    std::string finish();

  private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

struct FileSum {
    std::string hexadecimal;
    std::uint64_t bytes = 0;
};

// Reads to the end.
FileSum sum_of(std::istream& stream);

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
