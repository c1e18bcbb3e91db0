// Cuts a stream that comes in pieces into its lines. Only what has just come is searched, so that a line of
// many pieces costs what a line of one piece does. Internal to the room and its tests.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace keelson::client {

class LineSplitter {
  public:
    // Gives away each line that the piece completes, without its end; empty ones are left out.
    void add(std::string_view piece, const std::function<void(std::string)>& take) {
        for (std::size_t end; (end = piece.find('\n')) != std::string_view::npos;
             piece.remove_prefix(end + 1)) {
            begun_ += piece.substr(0, end);
            if (!begun_.empty()) take(std::exchange(begun_, {}));
        }
        begun_ += piece;
    }

    // How long the line is that has not ended yet.
    [[nodiscard]] std::size_t begun_bytes() const { return begun_.size(); }

  private:
    std::string begun_;
};

}  // namespace keelson::client
