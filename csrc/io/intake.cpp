#include "io/intake.hpp"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace mediacore::io {

h264::BurstFlush Intake::flush_for(const AddSource& command) const {
  if (const auto found = sources_.find(command.learnt_from); found != sources_.end()) {
    return found->second.flush().for_new_stream();
  }
  const auto found = std::ranges::find(remembered_, command.learnt_from, [](const auto& entry) { return entry.first; });
  return found != remembered_.end() ? found->second.for_new_stream() : h264::BurstFlush(command.idle_us);
}

void Intake::add(AddSource command, Wake& wake) {
  const Source::Settings settings{.id = command.id, .rendition = command.rendition, .flush = flush_for(command)};
  if (!renditions_.contains(command.rendition)) {
    wake.events.post(SourceEnded{.source = command.id, .error = 0, .head = {}, .reason = "no rendition"});
    return;
  }
  const auto [place, added] =
      sources_.try_emplace(command.id, settings, std::move(command.socket), std::move(command.shared));
  Source& source = place->second;
  try {
    if (!source.ended()) poller_.add_source(source.descriptor(), source.id());
  } catch (const std::system_error& error) {  // what cannot be waited for: a file
    source.set_error(error.code().value());
    end(source.id(), "error", wake);
    return;
  }
  if (source.ended()) end(source.id(), "error", wake);
}

void Intake::read(Id id, bool held_back, Wake& wake) {
  const auto found = sources_.find(id);
  if (found != sources_.end()) work(found->second, wake, held_back ? Reading::held_back : Reading::as_it_came);
}

Activity Intake::take_activity() noexcept {
  Activity activity;
  for (auto& [id, source] : sources_) {
    const std::uint64_t units = source.take_activity();
    activity.units += units;
    if (units > 0) ++activity.sources;
  }
  return activity;
}

void Intake::pause(Wake& wake) {
  due_.clear();
  if (deadline_us() > wake.now.us) return;
  for (const auto& [id, source] : sources_) {
    if (source.deadline_us().value_or(kNever) <= wake.now.us) due_.push_back(id);
  }
  for (const Id id : due_) {
    const auto found = sources_.find(id);  // it may have been superseded by one before it
    if (found != sources_.end()) work(found->second, wake, Reading::at_deadline);
  }
}

std::int64_t Intake::deadline_us() const noexcept {
  std::int64_t first = kNever;
  for (const auto& [id, source] : sources_) first = std::min(first, source.deadline_us().value_or(kNever));
  return first;
}

void Intake::work(Source& source, Wake& wake, Reading reading) {
  const Id id = source.id();
  ++readings_;
  try {
    units_.clear();
    if (reading == Reading::at_deadline) {
      source.pause(buffer_, wake.now.us, units_);
    } else {
      source.read(buffer_, wake.now.us, reading == Reading::held_back, units_);
    }
    wake.now = now();
    give(source, wake);
  } catch (const std::exception&) {
    ++faults_;
    end(id, "no memory", wake);
  }
}

void Intake::give(Source& source, Wake& wake) {
  if (source.take_damage()) wake.events.post(SourceDamaged{source.id()});
  const auto rendition = renditions_.find(source.rendition());
  for (const SourceUnit& unit : units_) {
    if (rendition != renditions_.end() && !give_unit(source, rendition->second, unit, wake)) return;
  }
  units_.clear();  // so that their memory can be used again
  source.publish();
  if (source.ended()) end(source.id(), source.error() == 0 ? "end" : "error", wake);
}

// False: the source has ended by it.
bool Intake::give_unit(Source& source, Rendition& rendition, const SourceUnit& unit, Wake& wake) {
  if (unit.unit->is_key && unit.sps) source.note_key_frame();
  if (!source.has_key_frame()) {
    source.count(Source::Fate::before_key, false);
    return true;
  }
  if (rendition.current_source() != source.id()) {
    if (source.id() < rendition.current_source()) {  // it was still waiting when a later one took over
      end(source.id(), "superseded", wake);
      return false;
    }
    if (const Id former = rendition.current_source(); former != 0) end(former, "superseded", wake);
    const std::uint32_t epoch = rendition.begin_source(source.id());
    source.set_current(true);
    wake.events.post(SourceCurrent{.source = source.id(), .epoch = epoch});
  }
  source.count(Source::Fate::handed_on, unit.unit->is_key);
  source.publish();  // who sees the unit finds it counted
  try {
    rendition.take(unit, wake);
  } catch (const std::exception&) {
    ++faults_;
    rendition.lose_unit(wake);
  }
  return true;
}

void Intake::end(Id id, const char* reason, Wake& wake) {
  const auto found = sources_.find(id);
  if (found == sources_.end()) return;
  Source& source = found->second;
  source.set_current(false);
  source.set_ended();
  source.publish();
  SourceEnded event{.source = id, .error = source.error(), .head = source.head(), .reason = reason};
  close(found);
  wake.events.post(std::move(event));
}

void Intake::close(Sources::iterator source) {
  poller_.remove_source(source->second.descriptor());
  if (const auto rendition = renditions_.find(source->second.rendition()); rendition != renditions_.end()) {
    rendition->second.end_source(source->first);
  }
  remembered_.emplace_back(source->first, source->second.flush());
  if (remembered_.size() > kRemembered) remembered_.pop_front();
  sources_.erase(source);
}

bool Intake::remove(Id id) {
  const auto found = sources_.find(id);
  if (found == sources_.end()) return false;
  close(found);
  return true;
}

void Intake::end_all_of(Id rendition, Wake& wake) {
  std::vector<Id> ids;
  for (const auto& [id, source] : sources_) {
    if (source.rendition() == rendition) ids.push_back(id);
  }
  for (const Id id : ids) end(id, "removed", wake);
}

}  // namespace mediacore::io
