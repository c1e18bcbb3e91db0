// The names of images that were pulled. There are no bytes behind them.
#ifndef KEELSON_SIM_IMAGES_H
#define KEELSON_SIM_IMAGES_H

#include <cstdint>
#include <map>
#include <string>

#include "keelson/runtime.hpp"

class Images {
  public:
    explicit Images(std::int64_t size_bytes) : size_bytes_(size_bytes) {}

    // Answers the id. Names with "missing", "denied" or "unreachable" in them fail like such a registry.
    std::string pull(const std::string& name);
    void remove(const std::string& id) { names_.erase(id); }
    [[nodiscard]] keelson::images::Listed list() const;
    // By id or by name.
    [[nodiscard]] std::optional<keelson::images::Image> inspect(const std::string& image) const;
    [[nodiscard]] keelson::images::Usage usage(std::string path) const;
    [[nodiscard]] const std::map<std::string, std::string>& names() const { return names_; }

  private:
    [[nodiscard]] keelson::images::Image describe(const std::string& id, const std::string& name) const;

    std::int64_t size_bytes_;
    std::map<std::string, std::string> names_;  // by id
};

#endif
