/* A suite as JSON, for a second judge: what is done to a target and every
 * outcome that is permitted, with no oracle needed.
 *
 *   {"protocol": "notes", "seed": 1, "leniencies": ["name", ...],
 *    "cases": [
 *      {"id": "notes/idle/hello/example-1", "req": "N-4" or null, "level": "MUST|SHOULD|MAY",
 *       "class": "local|shared|exclusive|timed", "by_hand": false, "links": 1,
 *       "steps": [
 *         {"link": 0, "send": "0103...", "cut": true},   bytes in one write; cut (or absent): they are read as one
 * segment
 *         {"link": 0, "send": "1500...", "stamp": {"number": 1, "session": "own", "spoilt": 7}, "from": 1},
 *                                                        what only the session tells is filled in, then sent; see below
 *         {"link": 0, "await": true},                    all that is owed by now has to come first
 *         {"link": 0, "quiet": true},                    nothing more may have come by now
 *         {"link": 0, "eof": true}, {"link": 0, "reset": true},
 *         {"link": 0, "pause": 1500000000},              nanoseconds
 *         {"link": 0, "expect": "00"}, {"link": 0, "expect_end": ["fin", "rst", "open"]}  by hand only
 *       ],
 *       "expect": [                                      one entry for each link: null if it is reset by the tester
 *         [                                              (then nothing is judged), else all permitted outcomes:
 *           {"bytes": ["00ff", {"free": {"message": "Error", "fields": {"code": 3}, "any": ["text"], "delimited":
 * true}}], "end": "fin|rst|open"}
 *         ]],
 *       "effects": {"record": "5b..."}                   if an observer is to show it: what is appended, all links in
 * order
 *      }]}
 *
 * Where a client is judged, or another transport than the first, the document also says "role": "client",
 * "transport": "tcp", "machine": "Asker". Then a case has "again": true if its client connects again by itself, and
 *
 *         {"link": 0, "arrive": true},                   the target has to have made this link: of its own, where the
 *                                                        case says "again", else told to connect
 *         {"link": 0, "call": "say", "args": {"content": {"hex": "6869"}}}
 *                                                        its application does a call; if that stands before "arrive" of
 *                                                        its link, the call makes the link
 *         {"link": 0, "refuse": true}, {"link": 0, "welcome": true}   connections are refused; taken again
 *
 * and an outcome "told": what the application is told, in order: {"result": CALL, "values": {...}},
 * {"error": CALL, "kind": "timeout"}, {"effect": NAME, "values": {...}}. Steps of servers that were told to stop:
 * {"deaf": true}: no connection is taken any more, {"gone": true}: the process has ended.
 *
 * "stamp" says what the tester fills into the bytes, where that makes a message: "number": of a reliable message, the
 * next that the target has not taken, and so much; "ack": of an acknowledgement, the next that the target has not sent,
 * and so much; "session": "own": the target's, "stale": its bytes xor 5a; last of all, byte "spoilt" xor 10.
 * Seals and random values of the target are placeholders, in what is sent and in what is expected: a55af10e9d, how many
 * there were (little endian, in the bytes that are left), zeros; "from": the link on which was seen what stands there.
 *
 * Links that the target does not make are connected before the first step, in order. After the last one each link that
 * is still open is shut by the tester. All links lead to one target: rows that one adds are there for all. Of a target
 * that is started again ("restart", with the first link to what comes then) those that are durable are. "bytes" is
 * everything that comes on the link from its first byte on: hex, or a message whose fields in "any" are free. Field
 * values are numbers, names (enumerations) or {"hex": ...}. */
#ifndef ASSAY_CONFORMANCE_EXPORT_H
#define ASSAY_CONFORMANCE_EXPORT_H

#include <stdio.h>
#include "conformance/case.h"

/* False: out of memory, or writing failed. `params`, `leniencies`: those that the suite was made with. */
bool assay_export_json(const struct assay_suite *suite, const assay_val *params, uint64_t leniencies, uint64_t seed,
                       FILE *to);

#endif
