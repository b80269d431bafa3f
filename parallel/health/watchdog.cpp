#include "parallel/health/watchdog.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "core/base/log.h"
#include "core/base/span.h"
#include "core/base/standard_streams.h"
#include "core/json/json_text.h"
#include "parallel/health/process_dump.h"
#include "parallel/health/stillness.h"

namespace edt {
namespace {

// The first character of a message says what it is.
constexpr Seconds kDumpTime{5}, kAbortTime{5};
constexpr char kStatus = 's', kGoodbye = 'g', kDiagnosis = 'v';

double unix_time(FlightRecorder::Clock::time_point time) {
  return Seconds(time.time_since_epoch()).count();
}

nlohmann::ordered_json to_json(const FlightRecorder::Entry& entry) {
  nlohmann::ordered_json json{{"communicator", entry.communicator},
                              {"sequence", entry.sequence},
                              {"operation", entry.operation},
                              {"label", entry.label},
                              {"bytes", entry.bytes},
                              {"begin", unix_time(entry.begin)}};
  json["end"] = nullptr;
  if (!entry.pending) json["end"] = unix_time(entry.end);
  json["state"] = entry.pending ? "pending" : "done";
  return json;
}

}  // namespace

Seconds bounded_timeout(Seconds timeout) {
  constexpr Seconds kNever{1e9};
  return timeout.count() == 0 ? kNever : std::min(timeout, kNever);
}

Watchdog::Watchdog(Communicator& world, std::shared_ptr<FlightRecorder> recorder,
                   WatchdogOptions options)
    : world_(world),
      rank_(world.rank()),
      size_(world.size()),
      recorder_(std::move(recorder)),
      options_(std::move(options)),
      aborts_itself_(!options_.abort),
      side_channel_(world.side_channel("watchdog")),
      now_(options_.now()),
      peers_(static_cast<std::size_t>(rank_ == 0 ? size_ : 1)) {
  options_.start_timeout = bounded_timeout(options_.start_timeout);
  options_.timeout = bounded_timeout(options_.timeout);
  for (Peer& peer : peers_) peer.last = now_;
  world_.set_observer(recorder_);
  prepare_thread_stacks();
  if (aborts_itself_) options_.abort = [this](int status) { world_.abort(status); };
  const auto hosts = world.gather(world.host(), 0, "hosts of the ranks");
  for (std::size_t r = 0; r < hosts.size(); ++r) peers_[r].heard.status.host = hosts[r];
  if (rank_ != 0) peers_[0].heard.status.host = world.broadcast("", 0, "host of rank 0");
  if (rank_ == 0) world.broadcast(world.host(), 0, "host of rank 0");
  note_round();
  thread_ = std::thread([this] { run(); });
  if (size_ > 1) guard_ = std::thread([this] { guard(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    abandoned_ = std::uncaught_exceptions() > 0;  // the caller aborts
  }
  wake_.notify_all();
  thread_.join();
  if (guard_.joinable()) guard_.join();
  world_.set_observer(nullptr);
}

Seconds Watchdog::timeout() const {
  return have_started() ? options_.timeout : options_.start_timeout;
}

// All ranks have been through a forward pass: what takes long once only is over, and whoever waits
// now waits in vain. Rank 0 hears of it and tells the others, or a step that is done shows it.
bool Watchdog::have_started() const {
  return step_done_ || std::all_of(peers_.begin(), peers_.end(),
                                   [](const Peer& p) { return p.heard.status.started; });
}

Seconds Watchdog::interval() const {
  if (ending_) return Seconds(0.002);
  return interval_for(timeout());
}

Seconds Watchdog::interval_for(Seconds timeout) const {
  return std::min(Seconds(1), std::min(options_.timeout, timeout) / 10);
}

RankStatus Watchdog::own_status() const {
  const FlightRecorder::Phase phase = recorder_->current_phase();
  const auto seconds_since = [now = recorder_->now()](FlightRecorder::Clock::time_point time) {
    return Seconds(now - time).count();
  };
  RankStatus status{world_.host(),
                    phase.name,
                    seconds_since(phase.since),
                    {},
                    seconds_since(recorder_->last_progress()),
                    forward_done_};
  for (const FlightRecorder::Place& place : recorder_->places()) {
    status.groups.push_back({place.id, place.communicator, place.operation, place.label,
                             place.entered, place.waiting, seconds_since(place.since)});
  }
  return status;
}

void Watchdog::post(int to, std::string_view bytes) {
  sends_to_ = to;
  side_channel_->post(to, bytes);
  sends_to_ = -1;
}

void Watchdog::post_all(std::string_view bytes) {
  for (int r = 1; r < size_; ++r) post(r, bytes);
}

void Watchdog::run() {
  try {
    while (round()) {
      note_round();
      std::unique_lock lock(mutex_);
      const bool was_ending = ending_;
      wake_.wait_for(lock, interval(), [&] { return ending_ && !was_ending; });
    }
  } catch (const std::exception& error) {
    // A rank that is ending has nothing to watch any more; else nobody would be watched from now
    // on.
    if (ending_) {
      log::warning("[watchdog] stops watching: {}", error.what());
    } else {
      carry_out(fmt::format("{} loses touch with the others: {}", world_.name(), error.what()),
                Tell::kConsole);
    }
  }
  {
    const std::lock_guard lock(mutex_);
    talk_ended_ = true;
  }
  wake_.notify_all();
}

void Watchdog::note_round() {
  const std::lock_guard lock(round_mutex_);
  ++round_.number;
  round_.heard.clear();
  for (const Peer& peer : peers_) round_.heard.push_back(peer.heard);
  round_.timeout = timeout();
}

Watchdog::Round Watchdog::last_round() const {
  const std::lock_guard lock(round_mutex_);
  return round_;
}

// A peer that vanishes can keep the library for as long as it likes: it connects anew, or ends the
// job by itself, for which it asks a launcher that does not answer. In Open MPI 4.1 a message also
// waits while another thread is inside what it does when a connection breaks.
void Watchdog::guard() {
  Stillness stillness(options_.guard_now());
  std::unique_lock lock(mutex_);
  while (!talk_ended_) {
    Round round = last_round();
    if (step_done_) round.timeout = options_.timeout;  // it may have been the start's still
    const Seconds pause = interval_for(round.timeout);
    wake_.wait_for(lock, pause, [this] { return talk_ended_.load(); });
    const Seconds still = stillness.look(round.number, options_.guard_now(), 2 * pause);
    // Rank 0 hears nothing of a rank that is stuck, and names it first.
    if (still <= (rank_ == 0 ? 1.0 : 1.5) * round.timeout) continue;
    lock.unlock();
    return carry_out(stuck_since(round, still), Tell::kConsole);
  }
}

std::string Watchdog::stuck_since(const Round& last, Seconds still) const {
  std::size_t other = 0;
  double longest = -1;
  const int receiver = sends_to_;
  for (std::size_t r = 0; r < last.heard.size(); ++r) {
    const bool is_candidate = receiver < 0 ? static_cast<int>(r) != rank_ && !last.heard[r].ended
                                           : static_cast<int>(r) == receiver;
    if (is_candidate && last.heard[r].silent > longest) {
      other = r;
      longest = last.heard[r].silent;
    }
  }
  StuckMessages stuck{.rank = rank_,
                      .ranks = static_cast<std::size_t>(size_),
                      .host = world_.host(),
                      .seconds = still.count(),
                      .sending = receiver >= 0,
                      .other = static_cast<int>(other),
                      .heard = last.heard[other]};
  stuck.heard.silent += still.count();
  return stuck_line(stuck);
}

bool Watchdog::all_ended() const {
  return std::all_of(peers_.begin(), peers_.end(), [](const Peer& p) { return p.heard.ended; });
}

// The last message from everybody is a goodbye: to rank 0 when a rank ends, from it when all have.
bool Watchdog::round() {
  now_ = options_.now();
  report();
  read_messages();
  if (!over_) look();
  if (over_ || abandoned_) return false;
  if (!ending_) return true;
  if (!ending_since_) {
    ending_since_ = now_;
    if (rank_ == 0) peers_[0].heard.ended = true;
    if (rank_ != 0) post(0, std::string(1, kGoodbye));
  }
  if (all_ended()) {
    if (rank_ == 0 && !said_goodbye_) post_all(std::string(1, kGoodbye));
    said_goodbye_ = true;
    if (side_channel_->delivered()) return false;
  }
  if (now_ - *ending_since_ < options_.timeout) return true;
  log::warning("[watchdog] rank {} ends without having heard that the others do", rank_);
  return false;
}

void Watchdog::report() {
  if (said_goodbye_) return;
  if (rank_ == 0) {
    peers_[0].heard.status = own_status();
    peers_[0].last = now_;
    RankStatus for_others = peers_[0].heard.status;
    for_others.started = have_started();
    post_all(kStatus + to_text(for_others));
  } else if (!ending_since_) {
    post(0, kStatus + to_text(own_status()));
  }
  mark_report();
}

void Watchdog::read_messages() {
  while (const auto message = side_channel_->poll()) {
    Peer& peer = peers_[static_cast<std::size_t>(message->from)];
    peer.last = now_;
    const std::string_view content = std::string_view(message->bytes).substr(1);
    switch (message->bytes[0]) {
      case kStatus:
        if (!content.empty()) peer.heard.status = rank_status_from(content);
        break;
      case kGoodbye:
        peer.heard.ended = true;
        break;
      case kDiagnosis:
        return carry_out(std::string(content), Tell::kLog);
    }
  }
}

void Watchdog::look() {
  std::vector<HeardStatus> all;
  for (Peer& peer : peers_) {
    peer.heard.silent = Seconds(now_ - peer.last).count();
    all.push_back(peer.heard);
  }
  if (rank_ == 0) {
    const auto diagnosis = diagnose(all, timeout());
    if (diagnosis) carry_out(*diagnosis, Tell::kRanks);
    return;
  }
  // Rank 0 is given more time: it may be about to name another rank.
  if (!all[0].ended && all[0].silent > 1.5 * timeout().count()) {
    // Rank 1 says it; the others keep it in their log files.
    carry_out(silence_of(0, static_cast<std::size_t>(size_), all[0].status, all[0].silent),
              rank_ == 1 ? Tell::kConsole : Tell::kLog);
  }
}

// A disk or a network that hangs must not keep the job from ending: what could wait for them is
// done by threads that nobody waits for beyond a deadline.
void Watchdog::carry_out(const std::string& diagnosis, Tell tell) {
  if (carries_out_.exchange(true)) return;  // the other thread is at it
  const Seconds grace = Seconds(rank_ == 0 ? 0.5 : 2) + 2 * interval_for(last_round().timeout);
  if (aborts_itself_) {
    end_ = std::make_unique<ExitDeadline>(grace + kDumpTime + kAbortTime, options_.status, "");
  }
  if (tell != Tell::kLog) {
    std::thread([line = "edt: error: [watchdog] " + diagnosis] {
      write_standard_error(line);
    }).detach();
  }
  std::promise<void> done;
  std::future<void> dumped = done.get_future();
  std::thread([this, diagnosis, finished = std::move(done)]() mutable {
    try {
      write_dump(diagnosis);
    } catch (const std::exception& error) {
      log::warning("[watchdog] {}", error.what());
    }
    log::write(log::Level::kInfo, "[watchdog] " + diagnosis);
    log::flush();
    finished.set_value();
  }).detach();
  if (tell == Tell::kRanks) post_all(kDiagnosis + diagnosis);
  dumped.wait_for(kDumpTime);
  // The others read the diagnosis within an interval, and write their files before the job ends.
  std::this_thread::sleep_for(grace);
  over_ = true;
  options_.abort(options_.status);
}

void Watchdog::write_dump(const std::string& diagnosis) const {
  const FlightRecorder::Phase phase = recorder_->current_phase();
  nlohmann::ordered_json json{{"rank", rank_},
                              {"ranks", size_},
                              {"host", world_.host()},
                              {"verdict", diagnosis},
                              {"time", unix_time(FlightRecorder::Clock::now())},
                              {"phase", phase.name},
                              {"phase_seconds", Seconds(recorder_->now() - phase.since).count()}};
  json["threads"] = nlohmann::ordered_json::array();
  for (const ThreadStack& stack : thread_stacks()) {
    json["threads"].push_back({{"id", stack.id},
                               {"name", stack.name},
                               {"state", stack.state},
                               {"waits_in", stack.waits_in},
                               {"frames", stack.frames}});
  }
  json["open_files"] = open_files();
  json["collectives"] = nlohmann::ordered_json::array();
  for (const auto& entry : recorder_->entries()) json["collectives"].push_back(to_json(entry));
  std::error_code ignored;  // opening the file says what is wrong
  std::filesystem::create_directories(options_.directory, ignored);
  const auto path = options_.directory / fmt::format("stall-rank-{}.json", rank_);
  std::ofstream file(path);
  file << dump_json(json, 1) << std::endl;
  require<SystemError>(file.good(), "watchdog", "cannot write {}", path.string());
  log::info("[watchdog] rank {} wrote {}", rank_, path.string());
}

}  // namespace edt
