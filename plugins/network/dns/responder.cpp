#include "responder.h"

#include <algorithm>

namespace keelson::name_server {
namespace {

// What the zone has said already, of an alias that leads to somebody else's name.
std::vector<OwnedRecord> own(const std::vector<Item>& items) {
    std::vector<OwnedRecord> records;
    records.reserve(items.size());
    for (const Item& item : items)
        records.push_back({std::string(item.owner), item.type, item.ttl, std::string(item.data)});
    return records;
}

void add(const std::vector<OwnedRecord>& records, std::uint32_t age, std::vector<Item>& items) {
    for (const OwnedRecord& record : records)
        items.push_back({record.owner, record.type, record.ttl > age ? record.ttl - age : 0, record.data});
}

void fill(const Answer* answer, std::uint32_t age, Reply& reply) {
    reply.recursion_available = true;
    if (answer == nullptr) {
        reply.answers.clear();
        reply.code = server_failure;
        return;
    }
    reply.code = answer->code;
    add(answer->answers, age, reply.answers);
    // With an answer the name servers of others are of no use to a client.
    for (const OwnedRecord& record : answer->authority)
        if (record.type == type_soa)
            reply.authority.push_back(
                {record.owner, record.type, record.ttl > age ? record.ttl - age : 0, record.data});
}

}  // namespace

// Whether it is a question that is not looked at further; the reply says why.
bool Responder::refuse(Reading reading) {
    if (reading == Reading::malformed)
        reply_.code = format_error;
    else if (query_.opcode() != 0)
        reply_.code = not_implemented;
    else if (query_.has_edns && query_.edns_version != 0)
        reply_.code = bad_version;
    else if (query_.question_class != class_internet || query_.type == type_axfr ||
             query_.type == type_ixfr || query_.type == type_opt)
        reply_.code = refused;
    return reply_.code != no_error;
}

Responder::Step Responder::respond(Bytes message, std::size_t maximum, std::string& out,
                                   const std::function<Deliver()>& later) {
    const Reading reading = read_query(message, query_);
    if (reading == Reading::ignored) return Step::ignored;
    const std::size_t limit = maximum != 0 ? maximum : query_.payload;
    reply_.clear();
    if (!refuse(reading)) {
        reply_.recursion_available = forwarder_.has_upstreams();
        const Bytes other = authority_.answer(*zone_, query_, turn_++, reply_);
        if (!other.empty()) return ask_others(other, limit, out, later);
    }
    write_reply(query_, reply_, limit, out);
    return Step::answered;
}

Responder::Step Responder::ask_others(Bytes name, std::size_t limit, std::string& out,
                                      const std::function<Deliver()>& later) {
    const auto finish = [&](int code) {
        reply_.code = code;
        write_reply(query_, reply_, limit, out);
        return Step::answered;
    };
    // Of an alias what is known is said.
    if (!forwarder_.has_upstreams() || !query_.wants_recursion())
        return finish(reply_.answers.empty() ? refused : no_error);
    if (const Cache::Hit hit = forwarder_.cached(name, query_.type); hit.answer != nullptr) {
        fill(hit.answer.get(), hit.age_seconds, reply_);
        write_reply(query_, reply_, limit, out);
        return Step::answered;
    }
    Deliver deliver = later();
    if (deliver == nullptr) return Step::ignored;
    auto done = [query = query_, known = own(reply_.answers), is_authoritative = reply_.is_authoritative,
                 limit, deliver](const std::shared_ptr<const Answer>& answer) {
        Reply reply;
        reply.is_authoritative = is_authoritative;
        add(known, 0, reply.answers);
        fill(answer.get(), 0, reply);
        std::string message;
        write_reply(query, reply, limit, message);
        deliver(std::move(message));
    };
    if (forwarder_.ask(name, query_.type, std::move(done))) return Step::later;
    reply_.answers.clear();
    return finish(server_failure);
}

}  // namespace keelson::name_server
