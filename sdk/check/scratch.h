// A directory for what plugins write during the cases.
#pragma once

#include <string>
#include <string_view>

namespace keelson::check {

class Scratch {
  public:
    // Throws std::system_error.
    Scratch();
    // Removes everything, unless something is mounted in it: that is left and named on standard error.
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    // An empty directory in it.
    [[nodiscard]] std::string make_directory(std::string_view name) const;

  private:
    std::string path_;
};

}  // namespace keelson::check
