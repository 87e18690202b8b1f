/* Datagrams of sources that have no session yet, and who the peer of a session is. */
#include "core/session.h"

struct assay_span assay_session_peer(const struct assay_engine *e, const struct assay_session *s)
{
    (void)e, (void)s;
    return (struct assay_span){NULL, 0};
}
