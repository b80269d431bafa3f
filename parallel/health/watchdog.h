// Names the rank that keeps the others waiting, and ends the job. A thread on each rank tells rank
// 0 where its rank is and hears from rank 0 in turn; rank 0 diagnoses. On a diagnosis every rank
// writes what it did last to a file, the diagnosis is logged, and the job is aborted with the
// status that its options say.
//
// It notices a rank that does not enter a collective, ranks in different collectives, a rank that
// makes no progress while nobody waits for it, and a process that is frozen or out of reach: rank 0
// itself too. It ends the job also where disk or network hang, and where the library that carries
// its messages does not come back: a second thread, which never calls it, looks whether the first
// still comes round.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <thread>

#include "core/base/clock.h"
#include "core/base/exit_deadline.h"
#include "parallel/health/diagnosis.h"
#include "parallel/health/flight_recorder.h"

namespace edt {

// A time-out as it is counted: 0 stands for never, which is 30 years, as is what clocks cannot
// count.
Seconds bounded_timeout(Seconds timeout);

struct WatchdogOptions {
  // Until all ranks have been through a first forward pass: compilation, page cache, first files.
  // 0: never.
  Seconds start_timeout{1800};
  Seconds timeout{300};                   // after that; 0: never
  std::filesystem::path directory = ".";  // for stall-rank-N.json: stacks, files, flight recorder
  int status = 1;                         // that the job ends with
  // Ends the job; the default is Communicator::abort.
  std::function<void(int status)> abort;
  // The time that silence is measured in, asked once at each look; tests have one of their own.
  std::function<Clock::time_point()> now = [] { return Clock::now(); };
  // The time that the second thread measures in.
  std::function<Clock::time_point()> guard_now = [] { return Clock::now(); };
};

class Watchdog {
 public:
  // All ranks of `world` together. Hands `recorder` to `world`: communicators that are split from
  // it later are watched too.
  Watchdog(Communicator& world, std::shared_ptr<FlightRecorder> recorder, WatchdogOptions options);
  // Waits until the others end too (no longer than the time-out).
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // This rank has been through a first forward pass.
  void forward_done() { forward_done_ = true; }
  // A step is done, in which all ranks took part: they all have.
  void first_step_done() { step_done_ = true; }

 private:
  // Who hears of a diagnosis beside this rank's log: the terminal, and the other ranks.
  enum class Tell { kLog, kConsole, kRanks };
  struct Peer {
    HeardStatus heard;
    Clock::time_point last;
  };

  // What the thread that talks knew when it last came round.
  struct Round {
    std::uint64_t number = 0;
    std::vector<HeardStatus> heard;
    Seconds timeout{};
  };

  void run();
  bool round();  // false: over
  void guard();
  std::string stuck_since(const Round& last, Seconds still) const;
  Round last_round() const;
  void note_round();
  void report();
  void read_messages();
  void look();
  void carry_out(const std::string& diagnosis, Tell tell);
  void post(int to, std::string_view bytes);
  void write_dump(const std::string& diagnosis) const;
  void post_all(std::string_view bytes);
  bool all_ended() const;
  bool have_started() const;
  RankStatus own_status() const;
  Seconds timeout() const;
  Seconds interval() const;
  Seconds interval_for(Seconds timeout) const;

  Communicator& world_;
  const int rank_, size_;
  std::shared_ptr<FlightRecorder> recorder_;
  WatchdogOptions options_;
  const bool aborts_itself_;
  std::unique_ptr<SideChannel> side_channel_;
  std::atomic<bool> forward_done_ = false, step_done_ = false;
  std::atomic<bool> ending_ = false, abandoned_ = false, talk_ended_ = false;
  std::atomic<bool> carries_out_ = false;
  std::atomic<int> sends_to_ = -1;  // the rank of the message that is being handed over
  bool said_goodbye_ = false;
  std::atomic<bool> over_ = false;  // a diagnosis has been carried out
  Clock::time_point now_;           // of the present look
  std::optional<Clock::time_point> ending_since_;
  std::vector<Peer> peers_;  // on rank 0: all; else: rank 0 only
  Round round_;
  mutable std::mutex round_mutex_;
  std::unique_ptr<ExitDeadline> end_;  // of the job that is being ended
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_, guard_;
};

}  // namespace edt
