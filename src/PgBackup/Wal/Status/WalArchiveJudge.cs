namespace PgBackup.Wal.Status;

/// <summary>Judges what was found of archiving: a function of the facts and the thresholds, which asks nobody.</summary>
internal static class WalArchiveJudge
{
    public static WalVerdict Judge(WalArchiveFacts facts, WalArchiveThresholds thresholds)
    {
        var verdict = new WalVerdict();
        SettingRules.Apply(facts, verdict);
        if (facts.Server.IsArchiving)
            ArchiverRules.Apply(facts, thresholds, verdict);
        RepositoryRules.Apply(facts, thresholds, verdict);
        SlotRules.Apply(facts, thresholds, verdict);
        DiskRules.Apply(facts, thresholds, verdict);
        if (facts.Probe is { Problem: { } problem } probe)
        {
            if (probe.Segment is null)
                verdict.Warn(problem);
            else
                verdict.Fail(problem + " What the server's log says of archiving tells why.");
        }
        return verdict;
    }
}
