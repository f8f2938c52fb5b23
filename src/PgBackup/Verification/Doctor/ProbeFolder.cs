using System.Security.Cryptography;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>The folder in which one run of the doctor tries its rights, and what it has put there.</summary>
internal sealed class ProbeFolder
{
    /// <summary>The folder of all such folders.</summary>
    public const string Root = RepositoryLayout.PrivateFolder + "probes/";

    // Shorter than the grace that a stopped cmdlet has.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly SortedSet<string> _keys = new(StringComparer.Ordinal);
    private bool _mayHaveUnfinished;

    /// <summary>The folder, with its slash.</summary>
    public string Folder { get; } = $"{Root}{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}/";

    /// <summary>What may be there now.</summary>
    public IReadOnlyCollection<string> Keys => _keys;

    /// <summary>The key of a probe that is about to be written.</summary>
    public string Add(string name)
    {
        string key = Folder + name;
        _keys.Add(key);
        _mayHaveUnfinished = true;
        return key;
    }

    /// <summary>Takes note that the object is gone.</summary>
    public void Forget(string key) => _keys.Remove(key);

    /// <summary>
    /// Removes what is there, unfinished uploads too; never cancelled, because it is the clean-up. Returns what could not be removed and why.
    /// </summary>
    public async Task<(IReadOnlyCollection<string> Keys, PgBackupException? Reason)> RemoveAsync(IObjectStore store)
    {
        using var patience = new CancellationTokenSource(s_patience);
        PgBackupException? reason = null;
        try
        {
            if (_mayHaveUnfinished)
                await store.RemoveUnfinishedAsync(Folder, patience.Token).ConfigureAwait(false);
            _mayHaveUnfinished = false;
        }
        catch (PgBackupException error)
        {
            reason = error; // The objects may yet go.
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            return (_keys, null);
        }
        foreach (string key in _keys.ToArray())
        {
            try
            {
                await store.DeleteAsync([key], patience.Token).ConfigureAwait(false);
                _keys.Remove(key);
            }
            catch (PgBackupException error)
            {
                reason = error;
            }
            catch (OperationCanceledException) when (patience.IsCancellationRequested)
            {
                break;
            }
        }
        return (_keys, reason);
    }
}
