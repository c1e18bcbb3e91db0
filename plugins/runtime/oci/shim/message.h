// Packets on the shim's side.
#ifndef KEELSON_OCI_SHIM_MESSAGE_H
#define KEELSON_OCI_SHIM_MESSAGE_H

#include "protocol.h"
#include "text.h"

namespace keelson::oci::shim {

// A packet that came. Descriptors that nobody takes are closed by reset().
class Message {
  public:
    // False at the end of the connection or when it is no packet of this protocol; what came is then dropped.
    bool receive(int connection);
    void reset();

    [[nodiscard]] Kind kind() const { return kind_; }
    // The first field with that letter, or null.
    [[nodiscard]] const char* get(char letter) const;
    [[nodiscard]] const char* text(char letter) const;  // or ""
    [[nodiscard]] bool has(char letter) const { return get(letter) != nullptr; }
    [[nodiscard]] std::int64_t number(char letter) const { return parse_number(text(letter)); }
    // All fields in order: use(letter, text).
    template <typename Use>
    void each(Use use) const {
        for (unsigned index = 0; index < field_count_; ++index) use(fields_[index][0], fields_[index] + 1);
    }
    // The next descriptor that came, now the caller's; -1 when there is none left.
    int take_descriptor();

  private:
    Kind kind_{};
    unsigned field_count_ = 0;
    unsigned descriptor_count_ = 0;
    unsigned descriptors_taken_ = 0;
    const char* fields_[packet_fields];
    int descriptors_[packet_descriptors];
    alignas(8) char bytes_[packet_bytes];
};

// A reply or an event. Connections never make the shim wait: what cannot be sent at once is dropped.
class Reply {
  public:
    explicit Reply(Kind kind);
    Reply& add(char letter, const char* text);
    Reply& add(char letter, std::int64_t number);
    void send(int connection, int descriptor = -1) const;

  private:
    Buffer<8192> bytes_;
};

void reply_done(int connection, int descriptor = -1);
// "what: why", with errno's text when `error` is not 0.
void reply_failed(int connection, const char* what, int error = 0);

}  // namespace keelson::oci::shim

#endif
