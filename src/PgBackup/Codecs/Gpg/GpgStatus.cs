namespace PgBackup.Codecs.Gpg;

/// <summary>What gpg says of a decryption on its status channel (GnuPG's doc/DETAILS, "Format of the --status-fd output"), and in words.</summary>
internal sealed class GpgStatus
{
    private const string Prefix = "[GNUPG:] ";

    // What gpg says last is what matters; an endless complaint is not kept.
    private const int KeptLines = 20;

    private readonly Queue<string> _words = new();

    /// <summary>It decrypted to the end.</summary>
    public bool IsDecrypted { get; private set; }

    /// <summary>The message's own check held: nothing is missing and nothing was changed.</summary>
    public bool IsIntact { get; private set; }

    /// <summary>The key was found and opened the message's session key.</summary>
    public bool HasKey { get; private set; }

    /// <summary>The message names keys that it is encrypted to.</summary>
    public bool IsMessage { get; private set; }

    /// <summary>What it said in words, one line.</summary>
    public string Complaint => string.Join("; ", _words);

    /// <summary>Takes a whole output.</summary>
    public static GpgStatus Parse(string text)
    {
        var status = new GpgStatus();
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            status.Add(line);
        return status;
    }

    /// <summary>Takes a line.</summary>
    public void Add(string line)
    {
        if (!line.StartsWith(Prefix, StringComparison.Ordinal))
        {
            if (_words.Count == KeptLines)
                _words.Dequeue();
            _words.Enqueue(line.Trim());
            return;
        }
        string keyword = line[Prefix.Length..].Split(' ', 2)[0].Trim();
        IsMessage |= keyword is "ENC_TO";
        HasKey |= keyword is "DECRYPTION_KEY" or "DECRYPTION_INFO" or "DECRYPTION_OKAY";
        IsDecrypted |= keyword is "DECRYPTION_OKAY";
        IsIntact |= keyword is "GOODMDC";
    }
}
