using PgBackup.Repository;
using PgBackup.Retention.Rules;

namespace PgBackup.Retention;

/// <summary>What is there, as far as retention has to know.</summary>
/// <param name="Backups">Every backup, of every kind and in every state.</param>
/// <param name="Archive">The WAL.</param>
internal sealed record RetentionFacts(IReadOnlyList<RetentionBackup> Backups, ArchiveFacts Archive);

/// <summary>Decides what stays and what goes. A pure function: the same facts, policy and time give the same decisions, and nothing is read or written.</summary>
internal static class RetentionPlanner
{
    /// <summary>
    /// The decisions: backups by group, oldest first, then WAL by timeline, then history files. A kept backup's chain is kept; so is the WAL that it, or the recovery window, needs.
    /// </summary>
    public static IReadOnlyList<RetentionDecision> Decide(RetentionPolicy policy, RetentionFacts facts, DateTimeOffset now)
    {
        policy.Require();
        var decisions = new List<RetentionDecision>(facts.Backups.Count);
        var rules = new List<(ClusterLog Log, WalRules Rules)>();
        foreach (IGrouping<string, RetentionBackup> group in facts.Backups.GroupBy(static b => b.Group))
        {
            RetentionBackup[] members = [.. group];
            ClusterLog? log = members[0].Kind == BackupKind.Cluster ? facts.Archive.Logs.FirstOrDefault(l => l.SystemIdentifier == members[0].SystemIdentifier) : null;
            GroupVerdict verdict = BackupRules.Apply(policy, members, log is null ? null : new WindowTimelines(log, facts.Archive.Inventory, members), now);
            decisions.AddRange(verdict.Decisions);
            if (log is not null)
                rules.Add((log, new WalRules(log, verdict, policy, now)));
        }
        decisions.AddRange(WalDecisions.Of(facts.Archive, rules));
        return decisions;
    }
}
