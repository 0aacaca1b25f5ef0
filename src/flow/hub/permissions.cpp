// Who a connection is and what it may: waiting for the authenticator's answer, whose session a client id's is, changes of permissions.
#include <algorithm>

#include "codec/mqtt/packets.hpp"
#include "flow/hub/core.hpp"

namespace sluice::hub {

using mqtt::ReasonCode;
using State = Connection::State;

namespace {
/// Sessions looked at in one turn while permissions are reviewed: well below a millisecond with some subscriptions each.
constexpr SessionIndex kReviewPerTurn = 256;
}  // namespace

/// Nothing is consumed while the answer is awaited. Who sends more than one packet may have before it is let in is turned away.
std::size_t Hub::Core::keep_waiting(Connection& from, base::ByteView bytes) {
    if (bytes.size() <= packet_bytes_max_) return 0;
    refuse_connect(from, ReasonCode::quota_exceeded);
    return bytes.size();
}

void Hub::Core::on_authenticated(ConnectionId who, const Admission& admission) {
    Connection* connection = find(who);
    if (connection == nullptr || connection->state != State::authenticating) return;
    if (admission.reason != ReasonCode::success) return refuse_connect(*connection, admission.reason);
    --counters_.connections_authenticating;
    connection->state = State::admitted;
    connection->principal = admission.principal;
}

/// A session belongs to who made it: another user never gets what waits in it, and cannot throw its owner out.
ReasonCode Hub::Core::claim(std::string_view client, Principal principal, const Moment& moment) {
    // Who comes back while a review is under way gets nothing that it would have taken away.
    if (const SessionIndex unreviewed = sessions_.find(client); unreviewed != kNoSession && unreviewed >= review_next_)
        review(unreviewed, moment);
    const SessionIndex index = sessions_.find(client);
    if (index == kNoSession || sessions_[index].principal == principal || options_.authenticator == nullptr) return ReasonCode::success;
    if (sessions_[index].online()) {
        ++counters_.client_ids_refused;
        return ReasonCode::client_identifier_not_valid;
    }
    ++counters_.sessions_of_others_ended;
    end_session(index, moment);
    return ReasonCode::success;
}

bool Hub::Core::may_leave_will(std::string_view client, Principal principal, const mqtt::Connect& packet) {
    return !packet.will || options_.authenticator == nullptr ||
           options_.authenticator->may_publish({client, principal}, packet.will->topic);
}

void Hub::Core::review_permissions(Authenticator* authenticator) {
    options_.authenticator = authenticator;
    if (options_.names == nullptr) recorder_.use(authenticator);
    forget_permissions();
    review_next_ = authenticator == nullptr || sessions_.places() == 0 ? kNoSession : 0;
}

void Hub::Core::review_some(const Moment& moment) {
    const SessionIndex end = std::min(review_next_ + kReviewPerTurn, sessions_.places());
    for (; review_next_ < end; ++review_next_)
        if (sessions_[review_next_].serial != 0) review(review_next_, moment);
    if (review_next_ == sessions_.places()) review_next_ = kNoSession;
}

void Hub::Core::review(SessionIndex index, const Moment& moment) {
    Session& session = sessions_[index];
    if (session.principal == kBridgePrincipal) return;
    Authenticator& authenticator = *options_.authenticator;
    const Client client{session.client, session.principal};
    const Standing standing = authenticator.standing(client);
    const bool ends =
        standing == Standing::gone || !std::all_of(session.subscriptions.begin(), session.subscriptions.end(), [&](const Subscribed& one) {
            return authenticator.may_subscribe(client, subscriptions_.filter(one.node));
        });
    if (!ends && (standing == Standing::welcome || !session.online())) return;
    ++counters_.sessions_revoked;
    if (!session.online()) return end_session(index, moment);
    if (ends) session.expiry_seconds = 0;
    Connection& connection = *find(session.connection);
    send_disconnect(connection, ReasonCode::not_authorized);
    close(connection, false, moment);
}

}  // namespace sluice::hub
