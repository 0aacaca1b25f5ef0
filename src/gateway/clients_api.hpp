// GET and DELETE of /api/v1/clients: who is connected, and sending one away.
#pragma once

#include <memory>
#include <vector>

#include "env/posix/http_server.hpp"
#include "gateway/client_desk.hpp"

namespace sluice::gateway {

/// Asks the shards and waits for them: the API's thread only, which produces for all the boxes.
class ClientsApi {
public:
    /// `may_kick`: the API is reachable from this machine only.
    ClientsApi(std::vector<ClientQueryBox*> shards, bool may_kick) : shards_(std::move(shards)), may_kick_(may_kick) {}

    static constexpr std::string_view kPath = "/api/v1/clients";
    /// `/api/v1/clients` or what is below it.
    [[nodiscard]] static bool handles(std::string_view path);
    [[nodiscard]] posix::HttpResponse answer(const posix::HttpRequest& request);

private:
    [[nodiscard]] posix::HttpResponse list(const posix::HttpRequest& request);
    [[nodiscard]] posix::HttpResponse kick(const std::string& client);
    /// nullptr: a shard's box is full.
    [[nodiscard]] std::shared_ptr<ClientQuery> ask(ClientQuery::Kind kind, const std::string& client);

    std::vector<ClientQueryBox*> shards_;
    bool may_kick_;
};

/// {"clients":[…],"total":n}: rows that fit `search` (a part of the client id), in the order of `sort`, at most `limit` of them.
struct ClientsQuery {
    std::string search;
    std::string sort = "client";  ///< client, in, out, queued, since
    std::size_t limit = 100;
};
[[nodiscard]] std::string clients_json(std::vector<ClientRow> rows, const ClientsQuery& query);

}  // namespace sluice::gateway
