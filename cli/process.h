// Programs that keelctl starts: editors, diff, credential plugins. No shell is between.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/result.h"

namespace keelson::cli {

struct Program {
    std::vector<std::string> words;                  // the first is looked for in PATH
    std::map<std::string, std::string> environment;  // added to this process's
    bool is_captured = false;  // its output comes back instead of going where keelctl's goes
};

struct Ended {
    int code = 0;  // 128 and more: by a signal
    std::string output;
};

// Standard input and error are keelctl's. Fails when it cannot be started.
Result<Ended> run_program(const Program& program);

// "code --wait 'a b'" as words: blanks part them, quotes and backslashes keep them together.
std::vector<std::string> split_words(const std::string& line);

// A directory of this user alone, and gone with all that is in it at the end.
class TemporaryDirectory {
  public:
    static Result<TemporaryDirectory> make(const std::string& prefix);
    TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, "")) {}
    TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
    ~TemporaryDirectory();
    [[nodiscard]] const std::string& path() const { return path_; }
    // What is in it stays.
    void keep() { path_.clear(); }

  private:
    explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

}  // namespace keelson::cli
