#include "wire.h"

#include <algorithm>
#include <cstring>

namespace keelson::name_server {
namespace {

constexpr std::size_t maximum_name = 255;
constexpr std::size_t opt_bytes = 11;
constexpr std::size_t maximum_pointer = 0x3fff;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? char(c + 32) : c;
}

// The length of the name at the start, pointers not allowed; 0 when there is none.
std::size_t name_length(Bytes bytes) {
    std::size_t at = 0;
    while (at < bytes.size() && at < maximum_name) {
        const std::size_t label = std::uint8_t(bytes[at]);
        if (label == 0) return at + 1;
        if (label > 63) return 0;
        at += label + 1;
    }
    return 0;
}

// Past a name that may end with a pointer; 0 when it is none.
std::size_t skip_name(Bytes message, std::size_t at) {
    while (at < message.size()) {
        const std::size_t label = std::uint8_t(message[at]);
        if (label == 0) return at + 1;
        if (label >= 0xc0) return at + 2;
        if (label > 63) return 0;
        at += label + 1;
    }
    return 0;
}

void put_16(std::string& out, std::size_t value) {
    out += char(value >> 8);
    out += char(value);
}
void put_32(std::string& out, std::uint32_t value) {
    put_16(out, value >> 16);
    put_16(out, value & 0xffff);
}
void set_16(std::string& out, std::size_t at, std::size_t value) {
    out[at] = char(value >> 8);
    out[at + 1] = char(value);
}

// Reads what follows the question: the only thing that counts there is OPT.
bool read_additional(Bytes message, std::size_t at, std::size_t before, std::size_t additional,
                     Query& query) {
    for (std::size_t record = 0; record < before + additional; ++record) {
        const std::size_t owner = at;
        at = skip_name(message, at);
        if (at == 0 || at + 10 > message.size()) return false;
        const char* fields = message.data() + at;
        const std::size_t length = read_16(fields + 8);
        if (at + 10 + length > message.size()) return false;
        if (read_16(fields) == type_opt && record >= before) {
            if (query.has_edns || message[owner] != 0) return false;
            query.has_edns = true;
            query.payload = std::clamp<std::size_t>(read_16(fields + 2), minimum_payload, maximum_payload);
            query.edns_version = std::uint8_t(fields[5]);
            query.wants_dnssec = (std::uint8_t(fields[6]) & 0x80) != 0;
        }
        at += 10 + length;
    }
    return true;
}

// Writes records into a message and shortens names by pointers to those that are in it.
class Writer {
  public:
    // start: where the message begins in `out`.
    Writer(std::string& out, std::size_t start, std::size_t limit)
        : out_(out), start_(start), limit_(limit) {}

    // False and nothing written when it does not fit.
    bool put(const Item& item) {
        const std::size_t before = out_.size();
        const std::size_t known = count_;
        put_name(item.owner);
        put_16(out_, item.type);
        put_16(out_, class_internet);
        put_32(out_, item.ttl);
        const std::size_t length_at = out_.size();
        put_16(out_, 0);
        // Other types are not shortened: receivers need not know where names are in them (RFC 3597).
        if (item.type == type_cname || item.type == type_ns || item.type == type_ptr)
            put_name(item.data);
        else
            out_.append(item.data);
        if (out_.size() - start_ > limit_) {
            out_.resize(before);
            count_ = known;
            return false;
        }
        set_16(out_, length_at, out_.size() - length_at - 2);
        return true;
    }
    // A name at that place of the message may be pointed to.
    void remember(std::size_t offset) {
        if (count_ < known_.size() && offset <= maximum_pointer) known_[count_++] = std::uint16_t(offset);
    }

  private:
    [[nodiscard]] Bytes message() const { return Bytes(out_).substr(start_); }

    // Whether the message has that name there, in whatever case.
    [[nodiscard]] bool has(std::size_t offset, Bytes name) const {
        const Bytes text = message();
        std::size_t at = 0;
        while (offset < text.size()) {
            const std::size_t label = std::uint8_t(text[offset]);
            if (label >= 0xc0) {
                offset = (label & 0x3f) << 8 | std::uint8_t(text[offset + 1]);
                continue;
            }
            if (at + label >= name.size()) return false;
            for (std::size_t i = 0; i <= label; ++i)
                if (lower(text[offset + i]) != lower(name[at + i])) return false;
            if (label == 0) return true;
            offset += label + 1;
            at += label + 1;
        }
        return false;
    }

    void put_name(Bytes name) {
        while (name.size() > 1) {
            for (std::size_t i = 0; i < count_; ++i)
                if (has(known_[i], name)) {
                    put_16(out_, std::size_t(0xc000) | known_[i]);
                    return flush();
                }
            const std::size_t here = out_.size() - start_;
            const std::size_t label = std::uint8_t(name[0]) + std::size_t(1);
            out_.append(name.substr(0, label));
            name.remove_prefix(label);
            fresh_[fresh_count_++] = here;
        }
        out_ += '\0';
        flush();
    }
    void flush() {
        for (std::size_t i = 0; i < fresh_count_; ++i) remember(fresh_[i]);
        fresh_count_ = 0;
    }

    std::string& out_;
    std::size_t start_;
    std::size_t limit_;
    std::array<std::uint16_t, 32> known_{};
    std::size_t count_ = 0;
    std::array<std::size_t, 128> fresh_{};
    std::size_t fresh_count_ = 0;
};

std::size_t put_all(Writer& writer, const std::vector<Item>& items, bool& is_truncated) {
    std::size_t count = 0;
    for (const Item& item : items) {
        if (!writer.put(item)) {
            is_truncated = true;
            break;
        }
        ++count;
    }
    return count;
}

void put_opt(std::string& out, int code, bool wants_dnssec) {
    out += '\0';
    put_16(out, type_opt);
    put_16(out, maximum_payload);
    out += char(code >> 4);
    out += '\0';
    put_16(out, wants_dnssec ? 0x8000 : 0);
    put_16(out, 0);
}

}  // namespace

std::optional<std::string> wire_name(std::string_view text) {
    if (!text.empty() && text.back() == '.') text.remove_suffix(1);
    std::string name;
    while (!text.empty()) {
        const std::size_t dot = text.find('.');
        const std::string_view label = text.substr(0, dot);
        if (label.empty() || label.size() > 63) return std::nullopt;
        name += char(label.size());
        for (const char c : label) name += lower(c);
        if (dot == std::string_view::npos) break;
        text.remove_prefix(dot + 1);
        if (text.empty()) return std::nullopt;
    }
    name += '\0';
    if (name.size() > maximum_name) return std::nullopt;
    return name;
}

std::string text_of(Bytes name) {
    std::string text;
    while (name.size() > 1) {
        const std::size_t label = std::uint8_t(name[0]);
        if (!text.empty()) text += '.';
        text.append(name.substr(1, label));
        name.remove_prefix(label + 1);
    }
    return text;
}

Bytes parent_of(Bytes name) {
    return name.size() > 1 ? name.substr(std::uint8_t(name[0]) + std::size_t(1)) : name;
}

bool is_within(Bytes name, Bytes zone) {
    while (name.size() > zone.size()) name = parent_of(name);
    return name == zone;
}

Reading read_query(Bytes message, Query& query) {
    query.question.clear();
    query.name.clear();
    query.has_edns = query.wants_dnssec = false;
    query.edns_version = 0;
    query.payload = minimum_payload;
    if (message.size() < header_bytes) return Reading::ignored;
    query.id = read_16(message.data());
    query.flags = read_16(message.data() + 2);
    if ((query.flags & 0x8000) != 0) return Reading::ignored;
    // What other kinds of requests look like does not matter: none is served.
    if (query.opcode() != 0) return Reading::fine;
    if (read_16(message.data() + 4) != 1) return Reading::malformed;
    const Bytes rest = message.substr(header_bytes);
    const std::size_t length = name_length(rest);
    if (length == 0 || length + 4 > rest.size()) return Reading::malformed;
    query.name.assign(rest.substr(0, length));
    // Lengths of labels are below 64, no letters.
    std::ranges::transform(query.name, query.name.begin(), lower);
    query.type = read_16(rest.data() + length);
    query.question_class = read_16(rest.data() + length + 2);
    const std::size_t before =
        std::size_t(read_16(message.data() + 6)) + std::size_t(read_16(message.data() + 8));
    const std::size_t additional = read_16(message.data() + 10);
    if (!read_additional(message, header_bytes + length + 4, before, additional, query))
        return Reading::malformed;
    query.question.assign(rest.substr(0, length + 4));
    return Reading::fine;
}

void Reply::clear() {
    code = no_error;
    is_authoritative = recursion_available = false;
    answers.clear();
    authority.clear();
    additional.clear();
}

void write_reply(const Query& query, const Reply& reply, std::size_t limit, std::string& out) {
    const std::size_t start = out.size();
    put_16(out, query.id);
    out.append(header_bytes - 2, '\0');
    out += query.question;
    Writer writer(out, start, limit - (query.has_edns ? opt_bytes : 0));
    if (!query.question.empty())
        for (Bytes name = query.name; name.size() > 1; name = parent_of(name))
            writer.remember(header_bytes + query.name.size() - name.size());
    bool is_truncated = false;
    bool is_shortened = false;
    const std::size_t answers = put_all(writer, reply.answers, is_truncated);
    const std::size_t authority = is_truncated ? 0 : put_all(writer, reply.authority, is_truncated);
    std::size_t additional = is_truncated ? 0 : put_all(writer, reply.additional, is_shortened);
    if (query.has_edns) {
        put_opt(out, reply.code, query.wants_dnssec);
        ++additional;
    }
    std::uint16_t flags = 0x8000 | (query.flags & 0x7910) | (reply.code & 15);
    if (reply.is_authoritative) flags |= 0x0400;
    if (is_truncated) flags |= 0x0200;
    if (reply.recursion_available) flags |= 0x0080;
    set_16(out, start + 2, flags);
    set_16(out, start + 4, query.question.empty() ? 0 : 1);
    set_16(out, start + 6, answers);
    set_16(out, start + 8, authority);
    set_16(out, start + 10, additional);
}

std::string write_question(std::uint16_t id, Bytes name, std::uint16_t type, bool with_edns) {
    std::string out;
    put_16(out, id);
    put_16(out, 0x0100);
    put_16(out, 1);
    put_16(out, 0);
    put_16(out, 0);
    put_16(out, with_edns ? 1 : 0);
    out.append(name);
    put_16(out, type);
    put_16(out, class_internet);
    if (with_edns) put_opt(out, 0, false);
    return out;
}

}  // namespace keelson::name_server
