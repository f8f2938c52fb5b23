using System.Security.Cryptography;
using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>The rights to write, each tried with objects of our own.</summary>
internal static class WriteChecks
{
    /// <summary>What the first probe is called.</summary>
    public const string PutName = "put";

    private const int ProbeSize = 4096;
    private const int Racers = 4;

    /// <summary>Puts an object and replaces it; it is what the reading checks read.</summary>
    public static async Task<CheckFinding> PutAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        string key = context.Probes.Add(PutName);
        await context.Store.PutAsync(key, new byte[1], PutCondition.None, cancellationToken).ConfigureAwait(false);
        byte[] content = RandomNumberGenerator.GetBytes(ProbeSize);
        DateTimeOffset before = DateTimeOffset.UtcNow;
        await context.Store.PutAsync(key, content, PutCondition.None, cancellationToken).ConfigureAwait(false);
        DateTimeOffset after = DateTimeOffset.UtcNow;
        (context.Subject, context.SubjectContent) = (new StoredObject(key, content.Length, after), content);
        await LookAtClockAsync(context, key, before, after, cancellationToken).ConfigureAwait(false);
        return CheckFinding.Passed("An object was written and replaced.");
    }

    /// <summary>Puts where something is, which must fail, and several at once where nothing is, of which one must win.</summary>
    public static async Task<CheckFinding> ConditionalPutAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        string taken = context.Probes.Add("taken");
        await context.Store.PutAsync(taken, new byte[] { 1 }, PutCondition.None, cancellationToken).ConfigureAwait(false);
        if (await TryPutAsync(context.Store, taken, 2, cancellationToken).ConfigureAwait(false))
        {
            return CheckFinding.Failed(
                "A put that must not replace has replaced what was there: the store honours no condition.",
                "Let one schedule alone write into this repository, and never two servers: nothing here guards them against each other.");
        }
        string key = context.Probes.Add("race");
        bool[] won = await Task.WhenAll(Enumerable.Range(1, Racers).Select(n => TryPutAsync(context.Store, key, (byte)n, cancellationToken))).ConfigureAwait(false);
        int winners = won.Count(w => w);
        byte[]? content = await context.Store.TryReadAllAsync(key, cancellationToken).ConfigureAwait(false);
        if (winners == 0 || content is not [>= 1 and <= Racers] || (winners == 1 && !won[content[0] - 1]))
        {
            return CheckFinding.Failed(
                $"Of {Racers} puts at once under one name {winners} won, and what is there is not what the winner wrote.",
                "Do not use this store for backups as it is; look for its release notes on conditional writes (If-None-Match).");
        }
        return winners == 1
            ? CheckFinding.Passed($"What is there is not replaced, and of {Racers} puts at once one won.")
            : CheckFinding.Warning(
                $"What is there is not replaced, but of {Racers} puts at once {winners} won: the store does not decide between writers.",
                "See that only one schedule backs up into this repository at a time.");
    }

    /// <summary>Copies within the store.</summary>
    public static async Task<CheckFinding> CopyAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        string source = context.Probes.Add("copy-source"), target = context.Probes.Add("copy-target");
        byte[] content = RandomNumberGenerator.GetBytes(ProbeSize);
        await context.Store.PutAsync(source, content, PutCondition.None, cancellationToken).ConfigureAwait(false);
        await context.Store.CopyAsync(source, target, cancellationToken).ConfigureAwait(false);
        byte[]? copy = await context.Store.TryReadAllAsync(target, cancellationToken).ConfigureAwait(false);
        return copy is not null && copy.AsSpan().SequenceEqual(content)
            ? CheckFinding.Passed("An object was copied within the store, and the copy is equal.")
            : CheckFinding.Failed("A copy within the store is not equal to what was copied.", "Do not use Copy-PgBackup within this store; report it to whoever runs the store.");
    }

    // A network file system has a clock of its own, and says so only by the times of its files.
    private static async Task LookAtClockAsync(DoctorContext context, string key, DateTimeOffset before, DateTimeOffset after, CancellationToken cancellationToken)
    {
        if (await context.Store.StatAsync(key, cancellationToken).ConfigureAwait(false) is not { } item)
            return;
        DateTimeOffset middle = before + ((after - before) / 2);
        context.ProbedSkew = item.LastModified - middle;
    }

    private static async Task<bool> TryPutAsync(IObjectStore store, string key, byte content, CancellationToken cancellationToken)
    {
        try
        {
            await store.PutAsync(key, new[] { content }, PutCondition.IfAbsent, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (PgBackupException error) when (error.Id == "ObjectExists")
        {
            return false;
        }
    }
}
