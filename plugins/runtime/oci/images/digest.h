// Content digests: "sha256:<64 lowercase hex digits>", the only algorithm that is stored here.
#ifndef KEELSON_OCI_DIGEST_H
#define KEELSON_OCI_DIGEST_H

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace keelson::oci {

class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void add(const char* data, std::size_t size);
    // Ends it: add nothing after.
    [[nodiscard]] std::string digest();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

[[nodiscard]] std::string digest_of(std::string_view bytes);
[[nodiscard]] bool is_digest(std::string_view text);
[[nodiscard]] bool is_hex(std::string_view text);
// The part after "sha256:".
[[nodiscard]] std::string hex_of(const std::string& digest);
// Throws Code::invalid, naming what, when it is none.
void require_digest(std::string_view text, const std::string& what);
// Chain id of a layer on top of others, as the OCI image specification defines it; parent is empty for the
// lowest.
[[nodiscard]] std::string chain_id(const std::string& parent, const std::string& diff_id);

}  // namespace keelson::oci

#endif
