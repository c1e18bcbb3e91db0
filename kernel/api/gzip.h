// Gzip at level 1, as Kubernetes compresses its answers. Internal to the room.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace keelson::api {

class GzipStream {
  public:
    GzipStream();
    ~GzipStream();
    // Appends compressed bytes to out; not everything that went in has come out before finish().
    void add(std::string_view data, std::string& out);
    void finish(std::string& out);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    void run(std::string_view data, int flush, std::string& out);
};

// Undoes it piece by piece, for what this room compressed itself. The text must outlive it.
class GunzipStream {
  public:
    explicit GunzipStream(std::string_view compressed);
    ~GunzipStream();
    // The next piece of the text, at most that long; empty at its end.
    [[nodiscard]] std::string next(std::size_t limit_bytes);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace keelson::api
