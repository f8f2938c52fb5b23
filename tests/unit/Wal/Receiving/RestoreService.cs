using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Fetch;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>A restore_command that asks this process: it leaves a question in a folder and waits for the answer.</summary>
internal sealed class RestoreService : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly BackupRepository _repository;
    private readonly Task _serving;

    public RestoreService(BackupRepository repository)
    {
        _repository = repository;
        ServerAccount.Current.Own(_folder.Path);
        string script = _folder.Combine("ask.sh");
        File.WriteAllText(script, """
            q="$0.$$.$1"; : > "$q.asked"
            while [ ! -e "$q.done" ]; do sleep 0.01; done
            cat "$q.done" >&2
            rm -f "$q.asked" "$q.done"
            [ -e "$q.file" ] && cp "$q.file" "$2" && rm -f "$q.file"
            """);
        ServerAccount.Current.Own(script);
        Text = $"sh '{script}' '%f' '%p'";
        _serving = Task.Run(ServeAsync);
    }

    public string Text { get; }

    /// <summary>How often each file was given, and how often it came from pieces.</summary>
    public Dictionary<string, (int Given, int InPieces)> Given { get; } = [];

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _folder.Dispose();
    }

    private async Task ServeAsync()
    {
        // Each question once: who asked may be removing question and answer just now.
        var answered = new HashSet<string>(StringComparer.Ordinal);
        while (!_stop.IsCancellationRequested)
        {
            foreach (string asked in Directory.GetFiles(_folder.Path, "*.asked"))
            {
                string stem = asked[..^".asked".Length];
                if (!answered.Add(stem))
                    continue;
                string told = "";
                string name = string.Join('.', Path.GetFileName(stem).Split('.')[3..]);
                try
                {
                    WalFetchResult result = await WalFetch.FetchAsync(_repository, name, stem + ".file");
                    ServerAccount.Current.Own(stem + ".file");
                    lock (Given)
                    {
                        (int given, int inPieces) = Given.GetValueOrDefault(name);
                        Given[name] = (given + 1, inPieces + (result.EndLsn is null ? 0 : 1));
                    }
                }
                catch (PgBackupException error) when (error.Id == "WalSegmentNotFound")
                {
                    // No file is the answer.
                }
                catch (Exception error)
                {
                    // Told in the server's log: a question without an answer would be a server that hangs.
                    told = error.ToString();
                }
                // Whole and the server's own when it appears: who asked takes it away at once.
                File.WriteAllText(stem + ".said", told);
                ServerAccount.Current.Own(stem + ".said");
                File.Move(stem + ".said", stem + ".done");
            }
            await Task.Delay(10, _stop.Token);
        }
    }
}
